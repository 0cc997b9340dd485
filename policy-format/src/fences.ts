import { contains, type Interval, type PointRules, parseAddress, parseCidrs, type RuleGroup } from '@edgeward/policy';
import { missingIn } from './delta.ts';
import type { MemberBook } from './member-book.ts';
import { refused } from './refusal.ts';

/**
 * What a store may say about who is where, and what it may not: the fence and the number of each group stand under
 * people's signatures. This is the line that a stolen key of the store does not cross. `max` is meant for workloads; addresses
 * are all that is known here, so it holds for those of each family: a workload that has one of each is no surprise, and no
 * store can name more than `max` of either.
 */

/** Members that were inside the same fences before, and need not be looked at again. */
export interface Fenced {
  rules: readonly PointRules[];
  book: MemberBook;
}

type Workloads = Extract<RuleGroup, { kind: 'workloads' }>;

/**
 * Under several documents (a break-glass policy and what it stands in for) each one's fences hold.
 * Throws EDW_ERR_FENCE_GROUP, _OUTSIDE, _MAX.
 */
export function checkFences(rules: readonly PointRules[], book: MemberBook, before: Fenced | null = null): void {
  const groups = workloadGroups(rules);
  for (const group of book.groups())
    if (!groups.has(group)) throw refused('EDW_ERR_FENCE_GROUP', `${group} has members, and no rule names it`);
  const known = before === null ? null : workloadGroups(before.rules);
  for (const [id, written] of groups) {
    const members = book.members(id);
    for (const group of written) {
      const stood = known?.get(id)?.some((it) => isSameFence(it, group)) ?? false;
      const was = stood ? (before?.book.members(id) ?? []) : [];
      checkMax(group, members);
      checkWithin(group, members === was ? [] : missingIn(was, members));
    }
  }
}

function workloadGroups(rules: readonly PointRules[]): Map<string, Workloads[]> {
  const groups = new Map<string, Workloads[]>();
  for (const document of rules)
    for (const group of document.groups)
      if (group.kind === 'workloads') groups.set(group.id, [...(groups.get(group.id) ?? []), group]);
  return groups;
}

function checkMax(group: Workloads, members: readonly string[]): void {
  const { id, max, selector } = group;
  if (max === null || members.length <= max) return;
  const ipv6 = members.reduce((count, address) => count + (address.includes(':') ? 1 : 0), 0);
  const ipv4 = members.length - ipv6;
  if (Math.max(ipv4, ipv6) <= max) return;
  const found = ipv4 >= ipv6 ? `${ipv4} IPv4` : `${ipv6} IPv6`;
  throw refused('EDW_ERR_FENCE_MAX', `${id} (${selector}) has ${found} addresses, more than ${max}`);
}

function checkWithin(group: Workloads, fresh: readonly string[]): void {
  if (group.within === null || fresh.length === 0) return;
  const fence = parseCidrs(group.within) ?? [];
  const outside = fresh.find((address) => !isInside(fence, address));
  if (outside !== undefined)
    throw refused('EDW_ERR_FENCE_OUTSIDE', `${outside} of ${group.id} (${group.selector}) is outside its fence`);
}

function isSameFence(a: Workloads, b: Workloads): boolean {
  return a.within?.join() === b.within?.join();
}

function isInside(fence: Interval[], address: string): boolean {
  const key = parseAddress(address);
  return key !== null && contains(fence, key);
}
