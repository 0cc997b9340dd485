/**
 * The policies that samples may have been taken under: the one in force and those of the last days, by the start of their hash
 * that stands in a sample. On disk, so that a sample is still named after the agent was restarted. Judging is `decide`, and
 * nothing else.
 */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type CompiledPolicy, decide, type LoadedPolicy, unpack, viewOf } from '@edgeward/policy';
import { type Clock, makeFolder, writeDurably } from '@edgeward/runtime';

/** A policy as it judged on this host. */
export interface JudgingPolicy {
  revision: number;
  object: string;
  /** The host denies; where it only observes, it would have. */
  enforces: boolean;
  view: LoadedPolicy;
}

export interface KeptPolicies {
  /** In force from now on. Kept as soon as it settles; a sample is judged by it at once. */
  keep(policy: CompiledPolicy): Promise<void>;
  /** Null where none begins so. */
  find(prefix: string): Promise<JudgingPolicy | null>;
}

interface Line {
  /** 8 hex. */
  prefix: string;
  /** The latest that had this content. */
  revision: number;
  sinceMs: number;
}

const MAX_AGE_MS = 7 * 86_400_000;
/** Of a hundred thousand members each has some megabytes. */
const MAX_KEPT = 8;

/** What can't be read is not there: then its samples can't be named, which is told as any other. */
export async function openKeptPolicies(folder: string, clock: Clock): Promise<KeptPolicies> {
  const listPath = join(folder, 'list.json');
  const pathOf = (prefix: string): string => join(folder, `${prefix}.json`);
  const memory = new Map<string, JudgingPolicy | null>();
  let lines = await readList(listPath);

  /** Newest first. */
  async function remember(line: Line): Promise<void> {
    const others = lines.filter(({ prefix }) => prefix !== line.prefix);
    const kept = others.slice(0, MAX_KEPT - 1).filter(({ sinceMs }) => sinceMs > line.sinceMs - MAX_AGE_MS);
    const dropped = others.filter((other) => !kept.includes(other));
    lines = [line, ...kept];
    await makeFolder(folder);
    await writeDurably(listPath, JSON.stringify({ v: 1, policies: lines }));
    for (const { prefix } of dropped) {
      memory.delete(prefix);
      await rm(pathOf(prefix), { force: true });
    }
  }

  return {
    keep: async (policy) => {
      const prefix = policy.hash.slice(0, 8);
      memory.set(prefix, judgingOf(policy, policy.revision));
      const isKept = lines.some((line) => line.prefix === prefix);
      await makeFolder(folder);
      if (!isKept) await writeDurably(pathOf(prefix), JSON.stringify(policy));
      if (lines[0]?.prefix !== prefix || lines[0].revision !== policy.revision)
        await remember({ prefix, revision: policy.revision, sinceMs: clock.now() });
    },
    find: async (prefix) => {
      const known = memory.get(prefix);
      if (known !== undefined) return known;
      const line = lines.find((one) => one.prefix === prefix);
      if (line === undefined) return null;
      const policy = await readPolicy(pathOf(prefix));
      const judging = policy === null ? null : judgingOf(policy, line.revision);
      memory.set(prefix, judging);
      return judging;
    },
  };
}

function judgingOf(policy: CompiledPolicy, revision: number): JudgingPolicy | null {
  const [object] = policy.objects;
  if (object === undefined) return null;
  // As the layout has it: without somebody who can always get in a host only observes.
  const enforces = object.mode === 'enforce' && object.failsafe !== null && unpack(object.failsafe).length > 0;
  return { revision, object: object.name, enforces, view: viewOf({ ...policy, revision }) };
}

async function readPolicy(path: string): Promise<CompiledPolicy | null> {
  // Written by this module, whole or not at all.
  return readFile(path, 'utf8').then(
    (text) => JSON.parse(text) as CompiledPolicy,
    () => null,
  );
}

async function readList(path: string): Promise<Line[]> {
  const text = await readFile(path, 'utf8').catch(() => null);
  if (text === null) return [];
  try {
    const { v, policies } = JSON.parse(text) as { v: number; policies: Line[] };
    return v === 1 ? policies : [];
  } catch {
    return [];
  }
}

/** What `decide` says of a packet under the policy that denied it. */
export function judge(policy: JudgingPolicy, from: string, port: string): ReturnType<typeof decide> {
  return decide(policy.view, { from, to: policy.object, port });
}
