/**
 * Who last wrote near our rules, as `nft monitor` names processes, without ourselves: our own programs are known by their
 * names and by the time in which we write, since the monitor tells of them a little later.
 */
import type { Clock } from '@edgeward/runtime';
import type { WritingProcess } from './monitor-line.ts';

export interface Writers {
  saw(process: WritingProcess): void;
  /** `iptables-nft (12313)`; null where nobody was seen since `forget`. */
  last(): string | null;
  /** What stood then was as it should be: who wrote before changed nothing of it. */
  forget(beforeMs: number): void;
  /** We may write from now on. The answer ends it, and is told whether we did. */
  ours(): (wrote: boolean) => void;
}

/** The kernel cuts names at 15 characters. */
const OUR_PROGRAMS = ['iptables-nft-re', 'ip6tables-nft-r', 'iptables-restor', 'ip6tables-resto', 'xtables-nft-mul'];
const LATE_MS = 200;

export function createWriters(clock: Clock): Writers {
  let last: (WritingProcess & { atMs: number }) | null = null;
  let oursUntilMs = 0;
  return {
    saw: (process) => {
      if (clock.now() < oursUntilMs && OUR_PROGRAMS.includes(process.name)) return;
      last = { ...process, atMs: clock.now() };
    },
    last: () => (last === null ? null : `${last.name} (${last.pid})`),
    forget: (beforeMs) => {
      if (last !== null && last.atMs < beforeMs) last = null;
    },
    ours: () => {
      const beforeMs = oursUntilMs;
      oursUntilMs = Number.POSITIVE_INFINITY;
      return (wrote) => {
        oursUntilMs = wrote ? clock.now() + LATE_MS : beforeMs;
      };
    },
  };
}
