/**
 * What was denied, and what became of each: a sample that was named, or a part of a gap. `denied = sampled + in gaps` as soon
 * as nothing is under way. A sample is on its way for a while, so a packet that was counted has that long to turn up as one
 * before it is told of as a gap, however often windows are closed meanwhile. Pure.
 */
import type { GapCause } from '../../protocol/index.ts';

export interface Accounts {
  /** By the counters of the kernel. */
  denied: number;
  sampled: number;
  /** In records of gaps, whatever their cause, except those that the spool itself tells of. */
  notSampled: number;
  /** Messages with samples that the kernel could not deliver. */
  netlinkDrops: number;
  /** Records of gaps. */
  gaps: number;
  /** Seen and not yet part of a gap. */
  waiting: Readonly<Record<WaitingCause, number>>;
  /** `denied` as it was found to be, oldest first: the first is due, what of it is not sampled never will be. */
  readings: readonly [Reading, ...Reading[]];
}

interface Reading {
  atMs: number;
  denied: number;
}

type WaitingCause = Exclude<GapCause, 'not-sampled' | 'spool-full'>;

export interface ClosingWindow {
  atMs: number;
  /** By the counters, since the window before; read after the samples. */
  denied: number;
  sampled: number;
  unreadable: number;
  notJudged: number;
  netlink: number;
  /** A counter went before it was read for the last time. */
  counterLost: boolean;
}

export interface Gap {
  cause: GapCause;
  count: number;
  fromMs: number;
  toMs: number;
}

export function newAccounts(atMs: number): Accounts {
  return {
    denied: 0,
    sampled: 0,
    notSampled: 0,
    netlinkDrops: 0,
    gaps: 0,
    waiting: { unreadable: 0, 'not-judged': 0, netlink: 0 },
    readings: [{ atMs, denied: 0 }],
  };
}

/** A sample is here within `lagMs`. */
export function closeWindow(
  before: Accounts,
  window: ClosingWindow,
  lagMs: number,
): { accounts: Accounts; gaps: Gap[] } {
  const sampled = before.sampled + window.sampled;
  const counted = before.denied + window.denied;
  // What a counter would have said that went is known by its samples only. Else a sample came too late, was told of as a gap
  // already, and makes a later gap smaller.
  const denied = window.counterLost ? Math.max(counted, sampled + before.notSampled) : counted;
  const waiting = {
    unreadable: before.waiting.unreadable + window.unreadable,
    'not-judged': before.waiting['not-judged'] + window.notJudged,
    netlink: before.waiting.netlink + window.netlink,
  };
  const [told] = before.readings;
  const readings = dueFirst([...before.readings, { atMs: window.atMs, denied }], window.atMs, lagMs);
  const [due] = readings;
  const missing = Math.max(0, due.denied - sampled - before.notSampled);
  const parts = partsOf(missing, waiting);
  const [fromMs, toMs] = [Math.min(told.atMs, due.atMs), due.atMs];
  const gaps = parts.filter(({ count }) => count > 0).map((part) => ({ ...part, fromMs, toMs }));
  const accounts = {
    denied,
    sampled,
    notSampled: before.notSampled + missing,
    netlinkDrops: before.netlinkDrops + window.netlink,
    gaps: before.gaps + gaps.length,
    waiting: without(waiting, parts),
    readings,
  };
  return { accounts, gaps };
}

const MAX_READINGS = 32;

/** Without those that are over: the last one that is old enough is the first. */
function dueFirst(readings: Accounts['readings'], nowMs: number, lagMs: number): Accounts['readings'] {
  // A clock that was set back begins the waiting anew.
  const believed = readings.map(({ atMs, denied }) => ({ atMs: Math.min(atMs, nowMs), denied }));
  const due = Math.max(
    0,
    believed.findLastIndex(({ atMs }) => atMs <= nowMs - lagMs),
  );
  const [first = { atMs: nowMs, denied: 0 }, ...others] = believed.slice(due);
  // Where there are many every other one will do: it makes some packets wait longer.
  const fewer = others.length > MAX_READINGS ? others.filter((_, index) => index % 2 === 0) : others;
  return [first, ...fewer];
}

/** Nothing is under way. */
export function isSettled({ denied, sampled, notSampled }: Accounts): boolean {
  return denied <= sampled + notSampled;
}

/** Whatever has a cause that is known has that one; a message that was dropped had at least one sample. */
function partsOf(missing: number, waiting: Accounts['waiting']): { cause: GapCause; count: number }[] {
  let left = missing;
  const take = (cause: GapCause, most: number): { cause: GapCause; count: number } => {
    const count = Math.min(left, most);
    left -= count;
    return { cause, count };
  };
  return [
    take('unreadable', waiting.unreadable),
    take('not-judged', waiting['not-judged']),
    take('netlink', waiting.netlink),
    take('not-sampled', left),
  ];
}

function without(
  waiting: Accounts['waiting'],
  parts: readonly { cause: GapCause; count: number }[],
): Accounts['waiting'] {
  const told = (cause: GapCause): number => parts.find((part) => part.cause === cause)?.count ?? 0;
  return {
    unreadable: waiting.unreadable - told('unreadable'),
    'not-judged': waiting['not-judged'] - told('not-judged'),
    netlink: waiting.netlink - told('netlink'),
  };
}
