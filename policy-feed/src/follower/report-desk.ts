/**
 * What there is to tell a store about a point, and since when: after something changed, else about once a minute. It tells
 * nobody itself: whoever asks the store next takes it along, and says what became of it. A report that is lost is told again.
 */
import type { PointReport } from '@edgeward/policy-format';
import type { Clock } from '@edgeward/runtime';
import { jittered } from './jitter.ts';

export interface ReportDesk {
  /** What a report says has changed. */
  soon(): void;
  /** What is to be told now, or null. Whoever has it says what became of it. */
  take(): PointReport | null;
  heard(): void;
  /** It may be tried again at once. */
  lost(): void;
  /** The store does not take it: what is the same a minute later is told again. */
  refused(): void;
  /** The point is on its way to what it was given: there will be more to tell in a moment. */
  isMoving(): boolean;
}

export interface ReportDeskOptions {
  clock: Clock;
  random: () => number;
  reportMs: number;
  /** Until the first one, where nothing changes. */
  firstMs: number;
  reportOf: () => PointReport;
}

export function createReportDesk(options: ReportDeskOptions): ReportDesk {
  const { clock, random, reportMs, reportOf } = options;
  let changed = false;
  let dueAtMs = clock.now() + options.firstMs;

  function later(): void {
    dueAtMs = clock.now() + jittered(reportMs, random);
  }

  return {
    soon() {
      changed = true;
    },
    take() {
      if (!changed && clock.now() < dueAtMs) return null;
      changed = false;
      return reportOf();
    },
    heard: later,
    lost() {
      changed = true;
    },
    refused: later,
    isMoving: () => reportOf().state === 'applying',
  };
}
