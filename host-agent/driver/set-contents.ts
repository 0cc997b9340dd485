/**
 * Whether a set holds what its name says: the name is a hash of it. A small one is read each time; a large one when its count
 * moved, or after a while, because reading a million members costs half a second.
 */
import type { Family } from './layout/host-layout.ts';
import { setOf } from './layout/sets.ts';
import type { Netfilter, SetHeader } from './netfilter/index.ts';

const ALWAYS_READ = 4096;
const READ_AGAIN_MS = 300_000;

export interface SetContents {
  /** Reads the set if it must. */
  isWhole(header: SetHeader): Promise<boolean>;
  /** Every command that fills a new set was taken: its count alone is looked at next. */
  filled(name: string, entries: number): void;
}

export function createSetContents(netfilter: Netfilter, nowMs: () => number): SetContents {
  const known = new Map<string, { entries: number; atMs: number }>();
  return {
    isWhole: async (header) => {
      const { name, entries } = header;
      const last = known.get(name);
      const fresh = last !== undefined && last.entries === entries && nowMs() - last.atMs < READ_AGAIN_MS;
      if (fresh && entries > ALWAYS_READ) return true;
      known.delete(name);
      if (nameOf(header, await netfilter.members(name)) !== name) return false;
      known.set(name, { entries, atMs: nowMs() });
      return true;
    },
    filled: (name, entries) => {
      known.set(name, { entries, atMs: nowMs() });
    },
  };
}

/** Null for what no set of ours ever was. */
function nameOf({ name, type }: SetHeader, members: string[]): string | null {
  if (type !== 'hash:net' && type !== 'hash:net,port') return null;
  try {
    return setOf(familyOf(name), type, members).name;
  } catch {
    return null; // A member that none of ours has, such as a port of another protocol.
  }
}

function familyOf(set: string): Family {
  return set.startsWith('ew4') ? 'inet' : 'inet6';
}
