/**
 * Native snapshots on disk, as NGINX includes them: one folder a generation, and the link `current` to the one that the
 * next reload or start of NGINX takes. A generation is written once and never again; its manifest comes last, so that one
 * without it is a half. The link is replaced by rename: one write switches http and stream together. What is in force is
 * NGINX's to say, not this folder's.
 */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { sha256Hex, stateWriteError, systemCodeOf } from '@edgeward/runtime';
import type { NativeSnapshot } from '../native/index.ts';
import { diskOf, type SnapshotDisk } from './snapshot-disk.ts';

export interface SnapshotFolder {
  readonly path: string;
  /** A name that no generation here ever had, later than all that are there. */
  nextGeneration(nowMs: number): Promise<string>;
  write(snapshot: NativeSnapshot): Promise<Written>;
  /** null: `current` is missing, or leads elsewhere. */
  current(): Promise<string | null>;
  switchTo(generation: string): Promise<void>;
  /** Files of this generation that are not as they were written; null: it is not whole, or not there. */
  differing(generation: string): Promise<string[] | null>;
  /** The policy that it was taken of; null: it does not say. */
  takenOf(generation: string): Promise<{ revision: number; hash: string } | null>;
  /** Whether these very files are there. */
  holds(snapshot: NativeSnapshot): Promise<boolean>;
  remove(generation: string): Promise<void>;
  /** Removes halves, and whole ones but for the newest `keep`; never `current`. */
  collect(keep: number): Promise<void>;
}

interface Written {
  writes: number;
  bytes: number;
}

const GENERATION = /^g[0-9a-z]{1,30}$/;
const MANIFEST = 'manifest.json';
const CURRENT = 'current';
/** Names of nine digits sort as the times that they are, until the year 5188. */
const DIGITS = 9;

export function createSnapshotFolder(path: string, disk: SnapshotDisk = diskOf): SnapshotFolder {
  const at = (...names: string[]): string => join(path, ...names);
  const manifestOf = (generation: string): Promise<Record<string, string> | null> =>
    readManifest(at(generation, MANIFEST));

  async function generations(): Promise<string[]> {
    const names = await readdir(path).catch((cause: unknown) => {
      if (systemCodeOf(cause) === 'ENOENT') return [];
      throw stateWriteError(path, cause);
    });
    return names.filter((name) => GENERATION.test(name)).sort(byAge);
  }

  async function current(): Promise<string | null> {
    const target = await readlink(at(CURRENT)).catch(() => null);
    return target !== null && GENERATION.test(target) ? target : null;
  }

  async function differing(generation: string): Promise<string[] | null> {
    const manifest = await manifestOf(generation);
    if (manifest === null) return null;
    const names = Object.keys(manifest);
    const digests = await Promise.all(names.map((name) => digestOf(at(generation, name))));
    return names.filter((name, i) => digests[i] !== manifest[name]);
  }

  return {
    path,
    async nextGeneration(nowMs) {
      const newest = (await generations()).at(-1);
      const least = newest === undefined ? 0 : takenAtMs(newest) + 1;
      // A clock that stepped back must not make a name that an older one had.
      return nameOf(Math.max(nowMs, Number.isSafeInteger(least) ? least : 0));
    },
    async write({ generation, files }) {
      const manifest = Object.fromEntries(files.map(({ name, text }) => [basename(name), sha256Hex(text)]));
      for (const { name, text } of files) await disk.write(at(name), text);
      const text = `${JSON.stringify(manifest)}\n`;
      await disk.write(at(generation, MANIFEST), text);
      const bytes = files.reduce((sum, { text }) => sum + Buffer.byteLength(text), Buffer.byteLength(text));
      return { writes: files.length + 1, bytes };
    },
    current,
    switchTo: (generation) => disk.link(generation, at(CURRENT)),
    differing,
    async takenOf(generation) {
      const text = await readFile(at(generation, 'http.conf'), 'utf8').catch(() => '');
      const [, named, revision, hash] = /^# Edgeward: (\S+) ([0-9]{1,15}) ([0-9a-f]{64})\./.exec(text) ?? [];
      return named === generation && hash !== undefined ? { revision: Number(revision), hash } : null;
    },
    async holds({ generation, files }) {
      const manifest = await manifestOf(generation);
      const isSame = files.every(({ name, text }) => manifest?.[basename(name)] === sha256Hex(text));
      return manifest !== null && isSame && Object.keys(manifest).length === files.length;
    },
    remove: (generation) => disk.remove(at(generation)),
    async collect(keep) {
      const inUse = await current();
      const whole: string[] = [];
      for (const generation of await generations()) {
        if (generation === inUse) continue;
        if ((await manifestOf(generation)) === null) await disk.remove(at(generation));
        else whole.push(generation);
      }
      for (const generation of whole.slice(0, Math.max(0, whole.length - keep))) await disk.remove(at(generation));
    },
  };
}

/** When a generation of `nextGeneration` was laid out. */
export function takenAtMs(generation: string): number {
  return Number.parseInt(generation.slice(1), 36);
}

const nameOf = (number: number): string => `g${number.toString(36).padStart(DIGITS, '0')}`;

function byAge(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

async function readManifest(file: string): Promise<Record<string, string> | null> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'));
    return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value).map(inText)) : null;
  } catch {
    return null;
  }
}

const inText = ([name, digest]: [string, unknown]): [string, string] => [basename(name), String(digest)];

async function digestOf(file: string): Promise<string | null> {
  return readFile(file, 'utf8').then(sha256Hex, () => null);
}
