import type { AddressKey, Interval } from './address.ts';
import { parseAddress, successor } from './address.ts';
import type { Group } from './groups.ts';
import { groupOf, sameIntervals } from './groups.ts';
import { compareKeys, subtract, union } from './interval.ts';
import { compareText } from './text-order.ts';

/**
 * A group of `workloads` whose members somebody else worked out: single addresses in text. With the group as it was
 * before, what is the same stays the same array, and few changes among many members cost little more than finding them.
 */
export function listedGroup(term: string, listed: readonly string[], old: Group | undefined): Group {
  if (old === undefined || old.listed === null) return listedAs(term, listed, intervalsOf(listed));
  if (old.listed === listed) return old;
  const change = differenceOf(old.listed, listed);
  if (change !== null && change.added.length === 0 && change.removed.length === 0) return old;
  const intervals = change === null ? intervalsOf(listed) : changedIntervals(old.intervals, change);
  return listedAs(term, listed, sameIntervals(old.intervals, intervals) ? old.intervals : intervals);
}

function listedAs(term: string, listed: readonly string[], intervals: Interval[]): Group {
  return Object.assign(groupOf(term, intervals), { listed, memberCount: listed.length });
}

function intervalsOf(listed: readonly string[]): Interval[] {
  const keys = listed.map(keyOf);
  keys.sort(compareKeys);
  const out: Interval[] = [];
  let last: Interval | null = null;
  for (let i = 0; i < keys.length; i += 1) {
    const key = keys[i] as AddressKey;
    if (last !== null && (last.hi === key || successor(last.hi) === key)) last.hi = key;
    else {
      last = { lo: key, hi: key };
      out.push(last);
    }
  }
  return out;
}

function changedIntervals(before: Interval[], change: Difference): Interval[] {
  const removed = change.removed.map(single);
  const added = change.added.map(single);
  return union(subtract(before, union(removed)).concat(added));
}

function single(address: string): Interval {
  const key = keyOf(address);
  return { lo: key, hi: key };
}

/** A member that can't be read is nobody's: to leave it out silently could take a denial away. */
function keyOf(address: string): AddressKey {
  const key = parseAddress(address);
  if (key === null) throw new Error(`'${address}' was handed in as a member of a group, and is no address`);
  return key;
}

interface Difference {
  added: string[];
  removed: string[];
}

/** null where one of the lists is not ascending, so that walking along both says nothing. */
function differenceOf(old: readonly string[], now: readonly string[]): Difference | null {
  const out: Difference = { added: [], removed: [] };
  if (!isAscending(old) || !isAscending(now)) return null;
  let i = 0;
  let j = 0;
  while (i < old.length || j < now.length) {
    const order = j === now.length ? -1 : i === old.length ? 1 : compareText(old[i] as string, now[j] as string);
    if (order < 0) out.removed.push(old[i] as string);
    else if (order > 0) out.added.push(now[j] as string);
    if (order <= 0) i += 1;
    if (order >= 0) j += 1;
  }
  return out;
}

function isAscending(list: readonly string[]): boolean {
  for (let i = 1; i < list.length; i += 1) if ((list[i - 1] as string) >= (list[i] as string)) return false;
  return true;
}
