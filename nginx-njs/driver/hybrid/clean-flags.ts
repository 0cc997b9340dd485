import { mkdir, readdir, readFile, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CompiledObject } from '@edgeward/policy';
import { EdgewardError, messageOf, syncFolder, systemCodeOf } from '@edgeward/runtime';

/**
 * One file for each object that a snapshot still speaks for: while it is there NGINX lets in whom the snapshot allows, and
 * asks nobody. It holds the hash of the object as the snapshot has it, so that whoever comes later knows what it vouches
 * for. Taking one away is right at any time, and only makes NGINX slower; making one is right where the object in force
 * is the one in the snapshot, which is the caller's to know. A file that can't be taken away is an error, never a warning.
 */
export interface CleanFlags {
  /** Where `-f $edgeward_clean/NAME` looks. */
  folderOf(generation: string, isCached: boolean): string;
  raise(generation: string, isCached: boolean, objects: readonly Vouched[]): Promise<void>;
  /** Takes away, in all generations, what does not vouch for one of these. Afterwards no worker sees any of them. */
  lower(objects: readonly Vouched[]): Promise<void>;
  /** How many do not vouch for one of these. */
  straying(objects: readonly Vouched[]): Promise<number>;
  /** Objects that are vouched for. */
  standing(generation: string): Promise<Set<string>>;
  drop(generation: string): Promise<void>;
  /** Takes away every other generation. */
  keepOnly(generations: readonly string[]): Promise<void>;
}

export type Vouched = Pick<CompiledObject, 'bind' | 'hash'>;

/** `open_file_cache_valid 1s` counts whole seconds, and was seen to be late by less than one (measured). */
const CACHED_MS = 1100;
const CACHED = '.cached';
/** Nothing else in the folder is ours to take away, and NGINX looks nowhere else. */
const GENERATION = /^g[0-9a-z]{1,30}(\.cached)?$/;

export function createCleanFlags(folder: string): CleanFlags {
  const folderOf = (generation: string, isCached: boolean): string =>
    join(folder, isCached ? generation + CACHED : generation);
  /** When a flag that NGINX may have cached went last, by the clock that never steps back. */
  let loweredMs = Number.NEGATIVE_INFINITY;

  async function settled(): Promise<void> {
    const since = performance.now() - loweredMs;
    if (since < CACHED_MS) await sleep(CACHED_MS - since);
  }

  const heldGenerations = async (): Promise<string[]> =>
    (await namesIn(folder)).filter((name) => GENERATION.test(name));

  async function strayingIn(path: string, wanted: ReadonlyMap<string, string>): Promise<string[]> {
    const straying: string[] = [];
    for (const bind of await namesIn(path)) {
      const hash = await readFile(join(path, bind), 'utf8').catch(() => null);
      if (hash === null || hash !== wanted.get(bind)) straying.push(bind);
    }
    return straying;
  }

  async function lowerIn(name: string, wanted: ReadonlyMap<string, string>): Promise<void> {
    const path = join(folder, name);
    const straying = await strayingIn(path, wanted);
    for (const bind of straying) await unlink(join(path, bind));
    // A machine that loses its power must not come back with what was taken away.
    if (straying.length > 0) await syncFolder(path);
    if (name.endsWith(CACHED) && (straying.length > 0 || (await isRecent(path)))) loweredMs = performance.now();
  }

  async function removeAll(names: readonly string[]): Promise<void> {
    for (const name of names) await rm(join(folder, name), { recursive: true, force: true });
  }

  return {
    folderOf,
    raise: (generation, isCached, objects) =>
      told(folder, async () => {
        const path = folderOf(generation, isCached);
        await mkdir(path, { recursive: true, mode: 0o755 });
        for (const { bind, hash } of objects.filter(isNameable))
          await writeFile(join(path, bind), hash, { mode: 0o644 });
      }),
    async lower(objects) {
      await told(folder, async () => {
        for (const name of await heldGenerations()) await lowerIn(name, hashesOf(objects));
      });
      await settled();
    },
    straying: (objects) =>
      told(folder, async () => {
        const wanted = hashesOf(objects);
        const found = (await heldGenerations()).map((name) => strayingIn(join(folder, name), wanted));
        return (await Promise.all(found)).flat().length;
      }),
    standing: (generation) =>
      told(folder, async () => {
        const names = [folderOf(generation, false), folderOf(generation, true)].map(namesIn);
        return new Set((await Promise.all(names)).flat());
      }),
    drop: (generation) => told(folder, () => removeAll([generation, generation + CACHED])),
    keepOnly: (generations) =>
      told(folder, async () => {
        const kept = new Set(generations.flatMap((generation) => [generation, generation + CACHED]));
        await removeAll((await heldGenerations()).filter((name) => !kept.has(name)));
      }),
  };
}

function hashesOf(objects: readonly Vouched[]): Map<string, string> {
  return new Map(objects.map(({ bind, hash }) => [bind, hash]));
}

/** One with a slash in it is asked about every time. */
function isNameable({ bind }: Vouched): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/.test(bind);
}

async function namesIn(path: string): Promise<string[]> {
  return readdir(path).catch((cause: unknown) => {
    // What is no folder is no generation's either, and NGINX never looks into it.
    if (['ENOENT', 'ENOTDIR'].includes(systemCodeOf(cause) ?? '')) return [];
    throw cause;
  });
}

/** Whoever took the last one away may not have lived to wait. A clock that stepped back counts as a moment ago. */
async function isRecent(path: string): Promise<boolean> {
  const { mtimeMs } = await stat(path);
  return Date.now() - mtimeMs < CACHED_MS;
}

async function told<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new EdgewardError('EDW_ERR_SNAPSHOT_FLAGS', `keeping the flags in ${folder}: ${messageOf(cause)}`, {
      mend: 'Let the service own that folder (`snapshot.flags` of this point) and everything in it. Until then the policy in force stays; to go on at once delete the folder.',
      cause,
    });
  }
}
