/**
 * Whether a set holds what it should: by the digest of it. A small one is read each time; a large one when its count moved,
 * or after a while, because reading a million members costs half a second. What was read or written is kept as one text,
 * 16 bytes a member, so that what is to be added to a large set is known without reading it again.
 */
import type { Family } from './layout/host-layout.ts';
import { setOf } from './layout/sets.ts';
import type { Netfilter, SetHeader } from './netfilter/index.ts';

const ALWAYS_READ = 4096;
/** Looked for each minute by whoever guards a host, so that each set is read within 5 min. */
const READ_AGAIN_MS = { least: 120_000, most: 240_000 };

export interface SetContents {
  /** Reads the set if it must, unless its members are given. */
  isWhole(header: SetHeader, digest: string, members?: readonly string[]): Promise<boolean>;
  /** What a set of this digest holds, sorted; null where that is not known. */
  membersOf(name: string, digest: string): string[] | null;
  /** Every command that fills or changes a set was taken: its count alone is looked at next. */
  filled(name: string, digest: string, members: readonly string[]): void;
  /** Other sets are no more. */
  keepOnly(names: readonly string[]): void;
}

interface Known {
  entries: number;
  atMs: number;
  digest: string;
  /** Sorted, a line each: one text is a fifth of as many. */
  text: string;
}

export function createSetContents(netfilter: Netfilter, nowMs: () => number): SetContents {
  const known = new Map<string, Known>();
  const keep = (name: string, digest: string, members: readonly string[]): void => {
    known.set(name, { entries: members.length, atMs: nowMs(), digest, text: members.join('\n') });
  };
  return {
    isWhole: async (header, digest, members) => {
      const { name, entries } = header;
      const last = known.get(name);
      const fresh = last !== undefined && last.entries === entries && isYoung(nowMs() - last.atMs, name);
      if (fresh && entries > ALWAYS_READ) return last.digest === digest;
      const found = contentOf(header, members ?? (await netfilter.members(name)));
      if (found === null) known.delete(name);
      else keep(name, found.digest, found.members);
      return found?.digest === digest;
    },
    membersOf: (name, digest) => {
      const last = known.get(name);
      if (last?.digest !== digest) return null;
      return last.text === '' ? [] : last.text.split('\n');
    },
    filled: keep,
    keepOnly: (names) => {
      const kept = new Set(names);
      for (const name of known.keys()) if (!kept.has(name)) known.delete(name);
    },
  };
}

/** Of a clock that was set back nothing follows: a set would else not be read until it is as late again. */
function isYoung(ageMs: number, set: string): boolean {
  return ageMs >= 0 && ageMs < readAgainMs(set);
}

/** Not all of them at once: sets that were filled together would be read together for ever. */
function readAgainMs(set: string): number {
  const share = Number.parseInt(set.slice(-4), 16) / 0xffff;
  return READ_AGAIN_MS.least + share * (READ_AGAIN_MS.most - READ_AGAIN_MS.least);
}

/** Null for what no set of ours ever was. */
function contentOf(
  { name, type }: SetHeader,
  members: readonly string[],
): { digest: string; members: readonly string[] } | null {
  if (type !== 'hash:net' && type !== 'hash:net,port') return null;
  try {
    return setOf(familyOf(name), type, members);
  } catch {
    return null; // A member that none of ours has, such as a port of another protocol.
  }
}

function familyOf(set: string): Family {
  return set.startsWith('ew4') ? 'inet' : 'inet6';
}
