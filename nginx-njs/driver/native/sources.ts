import type { CompiledObject } from '@edgeward/policy';
import { cidrsOf, compareKeys, type Labelled, predecessor, successor, unpack } from '@edgeward/policy';

/**
 * The sources of one object for NGINX's `geo`: sorted disjoint intervals with a short word each, told apart into those
 * that a `geo` of ranges finds fastest and those that one of CIDRs must hold.
 */
export interface Labels {
  lo: string;
  hi: string;
  label: string;
}

/** A `geo` of ranges takes half a megabyte whatever is in it, so few intervals are cheaper as CIDRs. */
const LEAST_RANGES = 1000;
/** Within one /16 ranges are walked one by one: 32,000 of them took 19 µs a request (measured). */
const MOST_RANGES_IN_A_16 = 500;

/** Intervals with the label of their class; null: nothing is said of it. Neighbours of one label are joined. */
export function labelled(object: CompiledObject, labelOf: (id: number) => string | null): Labels[] {
  const trusted = object.trustedProxies === null ? [] : unpack(object.trustedProxies);
  const out: Labels[] = [];
  for (const { lo, hi, value } of without(unpack(object.sources), trusted)) {
    const label = labelOf(value);
    if (label === null) continue;
    const last = out.at(-1);
    if (last !== undefined && last.label === label && successor(last.hi) === lo) last.hi = hi;
    else out.push({ lo, hi, label });
  }
  return out;
}

/** Whoever a trusted proxy speaks for is in a header, which no `geo` reads. */
function without(intervals: Labelled[], taken: Labelled[]): Labelled[] {
  if (taken.length === 0) return intervals;
  return intervals.flatMap((it) => {
    const out: Labelled[] = [];
    let lo: string | null = it.lo;
    for (const cut of taken) {
      if (lo === null || compareKeys(cut.hi, lo) < 0 || compareKeys(cut.lo, it.hi) > 0) continue;
      const before = compareKeys(cut.lo, lo) > 0 ? predecessor(cut.lo) : null;
      if (before !== null) out.push({ lo, hi: before, value: it.value });
      lo = compareKeys(cut.hi, it.hi) >= 0 ? null : successor(cut.hi);
    }
    if (lo !== null) out.push({ lo, hi: it.hi, value: it.value });
    return out;
  });
}

export interface GeoLines {
  /** `LO-HI LABEL;`, IPv4 alone. */
  ranges: string[];
  /** `CIDR LABEL;` */
  cidrs: string[];
}

export function geoLines(intervals: readonly Labels[]): GeoLines {
  const four = intervals.filter(({ lo }) => lo.length === 8).flatMap(withoutLast);
  const rest = intervals.filter(({ lo }) => lo.length !== 8);
  const asRanges = four.length >= LEAST_RANGES;
  const dense = asRanges ? denseNetworks(four) : new Set<string>();
  const isRange = ({ lo, hi }: Labels): boolean =>
    asRanges && !(dense.has(lo.slice(0, 4)) && lo.slice(0, 4) === hi.slice(0, 4));
  return {
    ranges: four.filter(isRange).map(({ lo, hi, label }) => `${dotted(lo)}-${dotted(hi)} ${label};`),
    cidrs: [...four.filter((it) => !isRange(it)), ...rest].flatMap(cidrLines),
  };
}

/** Asked of a client on a unix socket, `geo` answers what it holds of 255.255.255.255. Nobody comes from there. */
function withoutLast(it: Labels): Labels[] {
  if (it.hi !== 'ffffffff') return [it];
  return it.lo === 'ffffffff' ? [] : [{ ...it, hi: 'fffffffe' }];
}

function denseNetworks(four: readonly Labels[]): Set<string> {
  const counts = new Map<string, number>();
  for (const { lo } of four) counts.set(lo.slice(0, 4), (counts.get(lo.slice(0, 4)) ?? 0) + 1);
  return new Set([...counts].filter(([, count]) => count > MOST_RANGES_IN_A_16).map(([network]) => network));
}

function cidrLines({ lo, hi, label }: Labels): string[] {
  // NGINX takes `0.0.0.0/0` and `::/0` for a second default.
  const all = cidrsOf([{ lo, hi }]);
  const halves = all.flatMap((cidr) => (cidr === '::/0' ? ['::/1', '8000::/1'] : [cidr]));
  return halves.map((cidr) => `${cidr} ${label};`);
}

function dotted(key: string): string {
  const number = Number.parseInt(key, 16);
  return `${number >>> 24}.${(number >>> 16) & 255}.${(number >>> 8) & 255}.${number & 255}`;
}
