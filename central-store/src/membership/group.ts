import {
  type AddressKey,
  contains,
  type Interval,
  type LabelCondition,
  parseCidrs,
  parseSelectorText,
  type Selector,
  type WorkloadGroup,
} from '@edgeward/policy';

/** A group as it is evaluated. */
export interface Group {
  id: string;
  selector: Selector;
  /** null: none. */
  fence: Interval[] | null;
  max: number | null;
  counts: MemberCounts;
}

/** How large a group is. An address counts once, whoever has it; a workload counts with an address inside the fence. */
export interface MemberCounts {
  workloads: number;
  ipv4: number;
  ipv6: number;
}

/**
 * Conditions and fences that many groups have are there once. Throws where a selector or fence is not in the form of a rules
 * document: to guess could let somebody in.
 */
export function groupsFrom(written: readonly WorkloadGroup[]): Group[] {
  const conditions = new Map<string, LabelCondition>();
  const fences = new Map<string, Interval[] | null>();

  function sharedCondition(condition: LabelCondition): LabelCondition {
    const key = JSON.stringify(condition);
    const known = conditions.get(key) ?? condition;
    conditions.set(key, known);
    return known;
  }

  function fenceOf(within: readonly string[]): Interval[] | null {
    const key = within.join(' ');
    const known = fences.get(key) ?? parseCidrs(within);
    fences.set(key, known);
    return known;
  }

  return written.map(({ id, selector: text, within, max }) => {
    const selector = parseSelectorText(text)?.map((conditions) => conditions.map(sharedCondition)) ?? null;
    const fence = within === null ? null : fenceOf(within);
    if (selector === null || (fence === null && within !== null))
      throw new TypeError(`the group ${id} is not written as a rules document writes it`);
    return { id, selector, fence, max, counts: nobody() };
  });
}

export function isInside(fence: Interval[] | null, key: AddressKey): boolean {
  return fence === null || contains(fence, key);
}

export function nobody(): MemberCounts {
  return { workloads: 0, ipv4: 0, ipv6: 0 };
}

export function familyOf(key: AddressKey): 'ipv4' | 'ipv6' {
  return key.length === 8 ? 'ipv4' : 'ipv6';
}

export function sumOf(counts: MemberCounts, more: MemberCounts): MemberCounts {
  return {
    workloads: counts.workloads + more.workloads,
    ipv4: counts.ipv4 + more.ipv4,
    ipv6: counts.ipv6 + more.ipv6,
  };
}

/** A count that is over a `max`. */
export interface Excess {
  counted: keyof MemberCounts;
  members: number;
  max: number;
}

/**
 * The largest count, if it is over `max`: workloads are what people mean by it, and addresses of one family are what a last
 * hop can count. Both families together are no count: a workload that has one of each is one.
 */
export function excessOf(counts: MemberCounts, max: number | null): Excess | null {
  const members = Math.max(counts.workloads, counts.ipv4, counts.ipv6);
  if (max === null || members <= max) return null;
  const counted = counts.workloads === members ? 'workloads' : counts.ipv4 === members ? 'ipv4' : 'ipv6';
  return { counted, members, max };
}
