import { type AddressKey, compareKeys, formatAddress, parseCidr, predecessor, successor } from '@edgeward/policy';
import { cidrsOf } from '../layout/cidrs.ts';
import type { DataRecord } from '../layout/index.ts';

/** Addresses of two groups side by side: where each begins and ends, and what either says there. */
export interface Span {
  lo: AddressKey;
  hi: AddressKey;
}

interface Said extends Span {
  data: string;
}

export interface Pair extends Span {
  before: string | null;
  after: string | null;
}

/**
 * Records in the order of addresses, whatever the route domain. What is no CIDR, or lies within the one before it, was
 * written by nobody of us and is left out.
 */
export function spansOf(records: Iterable<DataRecord>): Said[] {
  const spans: Said[] = [];
  for (const { name, data } of records) {
    const interval = parseCidr(name.replace(/%\d+/, ''));
    if (interval !== null && interval !== 'host-bits') spans.push({ ...interval, data });
  }
  spans.sort((a, b) => compareKeys(a.lo, b.lo));
  const disjoint: Said[] = [];
  for (const span of spans) {
    const last = disjoint.at(-1);
    if (last === undefined || compareKeys(last.hi, span.lo) < 0) disjoint.push(span);
  }
  return disjoint;
}

/** Every stretch of addresses in which neither side changes what it says; where both say nothing is left out. */
export function* pairsOf(before: readonly Said[], after: readonly Said[]): Generator<Pair> {
  const [a, b] = [cursor(before), cursor(after)];
  for (;;) {
    const [old, now] = [a.rest(), b.rest()];
    if (old === null && now === null) return;
    const isOld = old !== null && (now === null || compareKeys(old.lo, now.lo) <= 0);
    const isNow = now !== null && (old === null || compareKeys(now.lo, old.lo) <= 0);
    const lo = (isOld ? old.lo : now?.lo) ?? '';
    const hi = least(lo, [endOf(old, isOld), endOf(now, isNow)]);
    yield { lo, hi, before: isOld ? old.data : null, after: isNow ? now.data : null };
    if (isOld) a.pass(hi);
    if (isNow) b.pass(hi);
  }
}

/** The end of this stretch as far as one side bounds it. */
function endOf(said: Said | null, isWithin: boolean): AddressKey | null {
  if (said === null) return null;
  return isWithin ? said.hi : predecessor(said.lo);
}

function least(lo: AddressKey, ends: readonly (AddressKey | null)[]): AddressKey {
  const own = ends.filter((end) => end !== null && end.length === lo.length && end >= lo) as AddressKey[];
  return own.reduce((one, other) => (other < one ? other : one), own[0] ?? lo);
}

/** What is left of a list: the first without what was passed already. */
function cursor(list: readonly Said[]): { rest(): Said | null; pass(hi: AddressKey): void } {
  let at = 0;
  let lo: AddressKey | null = null;
  return {
    rest() {
      const said = list[at];
      return said === undefined ? null : { ...said, lo: lo ?? said.lo };
    },
    pass(hi) {
      const isWhole = list[at]?.hi === hi;
      lo = isWhole ? null : successor(hi);
      if (isWhole) at += 1;
    },
  };
}

/** Joins a span to the last one where they touch. */
export function addSpan(spans: Span[], { lo, hi }: Span): void {
  const last = spans.at(-1);
  if (last !== undefined && last.hi.length === lo.length && successor(last.hi) === lo) last.hi = hi;
  else spans.push({ lo, hi });
}

/** As people write them: `10.0.0.0/24`. */
export function cidrTexts(spans: readonly Span[]): string[] {
  return spans.flatMap(({ lo, hi }) => [...cidrsOf(lo, hi)].map((cidr) => `${formatAddress(cidr.lo)}/${cidr.prefix}`));
}
