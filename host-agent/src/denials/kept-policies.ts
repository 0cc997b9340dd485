/**
 * The policies that samples may have been taken under: the one in force and those of the last days. A sample carries the start of
 * a hash, which is the policy's own or, where only members came since, that of an earlier one whose rules stand unchanged; then
 * the time tells which. On disk, so that a sample is still named after the agent was restarted. Judging is `decide`, and nothing
 * else.
 */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type CompiledPolicy, type LoadedPolicy, unpack, viewOf } from '@edgeward/policy';
import { type Clock, makeFolder, writeDurably } from '@edgeward/runtime';
import { compiledPolicySchema } from '../../protocol/policy-schema.ts';

/** A policy as it judged on this host. */
export interface JudgingPolicy {
  object: string;
  /** The host denies; where it only observes, it would have. */
  enforces: boolean;
  view: LoadedPolicy;
}

export interface KeptPolicies {
  /**
   * In force from now on, and `sampled` is what its samples carry. Judges at once, and is kept when it settles, also where what
   * lay on disk was damaged.
   */
  keep(policy: CompiledPolicy, sampled: string): Promise<void>;
  /** Which one a sample of this time was taken under, as a word that differs for another one. */
  wordFor(sampled: string, atMs: number): string;
  /**
   * That one first, then others that had the same samples: clocks and applies take their time. Empty where none is known. Never
   * rejects.
   */
  find(sampled: string, atMs: number): Promise<JudgingPolicy[]>;
}

interface Line {
  /** 8 hex. */
  sampled: string;
  hash: string;
  revision: number;
  sinceMs: number;
}

const MAX_AGE_MS = 7 * 86_400_000;
/** Of a hundred thousand members each has some megabytes. */
const MAX_POLICIES = 8;
const MAX_IN_MEMORY = 2;
const MAX_LINES = 64;

/** What can't be read is not there: then its samples can't be named, which is told as any other. */
export async function openKeptPolicies(folder: string, clock: Clock): Promise<KeptPolicies> {
  const listPath = join(folder, 'list.json');
  const pathOf = (hash: string): string => join(folder, `${hash}.json`);
  const memory = new Map<string, CompiledPolicy | null>();
  const judging = new Map<string, JudgingPolicy>();
  /** Hashes of policies whose files were written or read by this agent, and are whole. */
  const whole = new Set<string>();
  /** Newest first. */
  let lines = await readList(listPath);

  /** Kept in memory at once, and on disk where there is room: what can't be written is known until the agent ends. */
  async function write(policy: CompiledPolicy, dropped: ReadonlySet<string>): Promise<void> {
    await makeFolder(folder);
    if (!(await isWhole(policy.hash))) await writeDurably(pathOf(policy.hash), JSON.stringify(policy));
    whole.add(policy.hash);
    await writeDurably(listPath, JSON.stringify({ v: 1, policies: lines }));
    for (const hash of dropped) {
      whole.delete(hash);
      await rm(pathOf(hash), { force: true });
    }
  }

  async function isWhole(hash: string): Promise<boolean> {
    return whole.has(hash) || (await readWhole(hash)) !== null;
  }

  async function readWhole(hash: string): Promise<CompiledPolicy | null> {
    const read = await readPolicy(pathOf(hash), hash);
    if (read === null) whole.delete(hash);
    else whole.add(hash);
    return read;
  }

  async function policyOf(hash: string): Promise<CompiledPolicy | null> {
    const known = memory.get(hash);
    if (known !== undefined) return known;
    const read = await readWhole(hash);
    memory.set(hash, read);
    return read;
  }

  async function judgingFor({ hash, revision }: Line): Promise<JudgingPolicy | null> {
    const word = `${hash} ${revision}`;
    const known = judging.get(word);
    if (known !== undefined) return known;
    const policy = await policyOf(hash);
    // Not remembered where it can't be read: it may come again, and is kept then.
    const made = policy === null ? null : judgingOf({ ...policy, revision });
    if (made !== null) judging.set(word, made);
    return made;
  }

  /** What lies on disk is read again if a late sample asks for it. */
  function forgetAllBut(warm: ReadonlySet<string>): void {
    for (const hash of [...memory.keys()]) if (!warm.has(hash)) memory.delete(hash);
    for (const word of [...judging.keys()]) if (!warm.has(word.split(' ')[0] ?? '')) judging.delete(word);
  }

  /** Of these samples, the one of this time first. */
  function candidates(sampled: string, atMs: number): Line[] {
    const own = lines.filter((line) => line.sampled === sampled);
    const then = own.findIndex(({ sinceMs }) => sinceMs <= atMs);
    const first = own[then === -1 ? own.length - 1 : then];
    return first === undefined ? [] : [first, ...own.filter((line) => line !== first)];
  }

  return {
    keep: async (policy, sampled) => {
      const { hash, revision } = policy;
      memory.set(hash, policy);
      const [newest] = lines;
      const isNewest = newest?.sampled === sampled && newest.hash === hash && newest.revision === revision;
      if (isNewest && (await isWhole(hash))) return;
      if (isNewest) return write(policy, new Set());
      const sinceMs = clock.now();
      const before = lines;
      lines = bounded([{ sampled, hash, revision, sinceMs }, ...before], sinceMs);
      const kept = new Set(lines.map((line) => line.hash));
      const dropped = new Set(before.map((line) => line.hash).filter((one) => !kept.has(one)));
      forgetAllBut(new Set([...kept].slice(0, MAX_IN_MEMORY)));
      await write(policy, dropped);
    },
    wordFor: (sampled, atMs) => {
      const [line] = candidates(sampled, atMs);
      return line === undefined ? sampled : `${line.hash} ${line.revision}`;
    },
    find: async (sampled, atMs) => {
      const found: JudgingPolicy[] = [];
      for (const line of candidates(sampled, atMs)) {
        const one = await judgingFor(line);
        if (one !== null) found.push(one);
      }
      return found;
    },
  };
}

/** The latest policies, and those of the last days. */
function bounded(lines: readonly Line[], nowMs: number): Line[] {
  const hashes = new Set<string>();
  return lines.slice(0, MAX_LINES).filter(({ hash, sinceMs }, index) => {
    // One is in force until the next one begins.
    const untilMs = lines[index - 1]?.sinceMs ?? nowMs;
    if (untilMs < nowMs - MAX_AGE_MS && sinceMs < nowMs - MAX_AGE_MS) return false;
    hashes.add(hash);
    return hashes.size <= MAX_POLICIES;
  });
}

function judgingOf(policy: CompiledPolicy): JudgingPolicy | null {
  const [object] = policy.objects;
  if (object === undefined) return null;
  // As the layout has it: without somebody who can always get in a host only observes.
  const enforces = object.mode === 'enforce' && object.failsafe !== null && unpack(object.failsafe).length > 0;
  return { object: object.name, enforces, view: viewOf(policy) };
}

function isLine(value: unknown): value is Line {
  if (typeof value !== 'object' || value === null) return false;
  const { sampled, hash, revision, sinceMs } = value as Partial<Record<keyof Line, unknown>>;
  const isNumbered = typeof revision === 'number' && typeof sinceMs === 'number';
  return typeof sampled === 'string' && typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash) && isNumbered;
}

/** Null for what is missing, damaged or another one: a disk may give back anything. */
async function readPolicy(path: string, hash: string): Promise<CompiledPolicy | null> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (!compiledPolicySchema.safeParse(value).success) return null;
    const policy = value as CompiledPolicy;
    return policy.hash === hash ? policy : null;
  } catch {
    return null;
  }
}

async function readList(path: string): Promise<Line[]> {
  const text = await readFile(path, 'utf8').catch(() => null);
  if (text === null) return [];
  try {
    const { v, policies } = JSON.parse(text) as { v?: unknown; policies?: unknown };
    return v === 1 && Array.isArray(policies) ? policies.filter(isLine) : [];
  } catch {
    return [];
  }
}
