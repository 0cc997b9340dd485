import type { PortRange } from '@edgeward/policy';

/** Sets of ports as sorted disjoint ranges, the way `normalisePorts` gives them. */

/** What is in `from` and not in `taken`. */
export function subtractPorts(from: readonly PortRange[], taken: readonly PortRange[]): PortRange[] {
  let passed = 0;
  return from.flatMap((range) => {
    while (passed < taken.length && isBefore(taken[passed], range)) passed += 1;
    const out: PortRange[] = [];
    let start = range.from;
    for (const cut of cutsOf(taken, passed, range)) {
      if (cut.from > start) out.push({ protocol: range.protocol, from: start, to: cut.from - 1 });
      start = Math.max(start, cut.to + 1);
    }
    if (start <= range.to) out.push({ protocol: range.protocol, from: start, to: range.to });
    return out;
  });
}

export function intersectPorts(one: readonly PortRange[], other: readonly PortRange[]): PortRange[] {
  return subtractPorts(one, subtractPorts(one, other));
}

export function widthOf({ from, to }: PortRange): number {
  return to - from + 1;
}

function isBefore(one: PortRange | undefined, range: PortRange): boolean {
  if (one === undefined) return false;
  return one.protocol === range.protocol ? one.to < range.from : one.protocol < range.protocol;
}

function* cutsOf(taken: readonly PortRange[], start: number, range: PortRange): Generator<PortRange> {
  for (let at = start; at < taken.length; at += 1) {
    const cut = taken[at];
    if (cut === undefined || cut.protocol !== range.protocol || cut.from > range.to) return;
    yield cut;
  }
}
