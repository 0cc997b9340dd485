/**
 * How many packets a host has denied, or would have: the exact numbers of the kernel, whatever became of samples. They begin
 * at 0 with each generation, and where somebody else rewrites our rules. Pure.
 */
import type { Family } from './layout/host-layout.ts';
import type { SavedRules } from './netfilter/index.ts';

export interface DenyCounter {
  family: Family;
  /** Sent to the host itself, or through it to a container. */
  hook: 'input' | 'forward';
  generation: number;
  /** `would-deny` where the host only observes. */
  verdict: 'deny' | 'would-deny';
  packets: number;
}

const DENYING = /^EW-(PUB-)?DENY-(\d{1,5})$/;

/** None where no policy of ours judges. */
export function countersIn(family: Family, rules: SavedRules): DenyCounter[] {
  return [...rules].flatMap(([name, { texts, packets }]) => {
    const [found, published, generation] = DENYING.exec(name) ?? [];
    const last = packets.at(-1);
    if (found === undefined || last === undefined) return [];
    const hook = published === undefined ? 'input' : 'forward';
    const verdict = / -j DROP$/.test(` ${texts.at(-1)}`) ? 'deny' : 'would-deny';
    return [{ family, hook, generation: Number(generation), verdict, packets: last }];
  });
}
