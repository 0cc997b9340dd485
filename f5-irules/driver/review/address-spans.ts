import { compareKeys, formatAddress, type Interval, parseCidr, type Said } from '@edgeward/policy';
import { cidrsOf } from '../layout/cidrs.ts';
import type { DataRecord } from '../layout/index.ts';

/**
 * Records in the order of addresses, whatever the route domain. What is no CIDR, or lies within the one before it, was
 * written by nobody of us and is left out.
 */
export function spansOf(records: Iterable<DataRecord>): Said<string>[] {
  const spans: Said<string>[] = [];
  for (const { name, data } of records) {
    const interval = parseCidr(name.replace(/%\d+/, ''));
    if (interval !== null && interval !== 'host-bits') spans.push({ ...interval, value: data });
  }
  spans.sort((a, b) => compareKeys(a.lo, b.lo));
  const disjoint: Said<string>[] = [];
  for (const span of spans) {
    const last = disjoint.at(-1);
    if (last === undefined || compareKeys(last.hi, span.lo) < 0) disjoint.push(span);
  }
  return disjoint;
}

/** As people write them: `10.0.0.0/24`. */
export function cidrTexts(spans: readonly Interval[]): string[] {
  return spans.flatMap(({ lo, hi }) => [...cidrsOf(lo, hi)].map((cidr) => `${formatAddress(cidr.lo)}/${cidr.prefix}`));
}
