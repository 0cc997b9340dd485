/**
 * Samples of one window, equal ones added up: one for each source, port and policy. Bounded: what finds no place is told to
 * whoever adds it, and counts among what was not sampled. Pure but for what it holds.
 */
import type { Sample } from './sample.ts';

export interface Folded {
  sample: Sample;
  count: number;
  /** Null where they came from several. */
  sourcePort: number | null;
  fromMs: number;
  toMs: number;
}

export interface SampleFold {
  /** `judge` is a word for the policy it was taken under. False where there is no place for it. */
  add(sample: Sample, atMs: number, judge: string): boolean;
  take(): Folded[];
}

/** What a window's records are at most: 700 kB of them. */
const MAX_FOLDED = 2_000;
/** A clock that was set moves no record out of its time. */
const MAX_AGE_MS = 3_600_000;

export function createSampleFold(most: number = MAX_FOLDED): SampleFold {
  const folded = new Map<string, Folded>();
  return {
    add: (sample, atMs, judge) => {
      const { hook, source, destination, port } = sample;
      const key = [hook, judge, source, hook === 'forward' ? destination : '', port].join(' ');
      const known = folded.get(key);
      if (known === undefined) {
        if (folded.size >= most) return false;
        folded.set(key, { sample, count: 1, sourcePort: sample.sourcePort, fromMs: atMs, toMs: atMs });
        return true;
      }
      known.count += 1;
      if (known.sourcePort !== sample.sourcePort) known.sourcePort = null;
      known.fromMs = Math.min(known.fromMs, atMs);
      known.toMs = Math.max(known.toMs, atMs);
      return true;
    },
    take: () => {
      const taken = [...folded.values()];
      folded.clear();
      return taken;
    },
  };
}

/** When it was taken, as far as that can be believed. */
export function timeOf({ atMs }: Sample, nowMs: number): number {
  return atMs === null || atMs > nowMs || atMs < nowMs - MAX_AGE_MS ? nowMs : atMs;
}
