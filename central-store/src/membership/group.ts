import {
  type AddressKey,
  contains,
  type Interval,
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
  memberCount: number;
}

/** Throws where a selector or fence is not in the form of a rules document: to guess could let somebody in. */
export function groupFrom(written: WorkloadGroup): Group {
  const selector = parseSelectorText(written.selector);
  const fence = written.within === null ? null : parseCidrs(written.within);
  if (selector === null || (fence === null && written.within !== null))
    throw new TypeError(`the group ${written.id} is not written as a rules document writes it`);
  return { id: written.id, selector, fence, max: written.max, memberCount: 0 };
}

export function isInside(fence: Interval[] | null, key: AddressKey): boolean {
  return fence === null || contains(fence, key);
}
