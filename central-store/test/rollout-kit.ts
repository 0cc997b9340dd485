/** Roll-outs written down by hand: a plan, what points said, and how far it is. */
import { DEFAULT_ROLLOUT, type RolloutConfig } from '../src/rollout/index.ts';
import type { Sight, Sights } from '../src/rollout/sight.ts';
import type { PointPlan, RolloutState } from '../src/rollout/state.ts';

export const NOW: number = Date.parse('2026-11-22T10:00:00.000Z');
export const SECOND = 1_000;
export const MINUTE = 60_000;
export const HOUR = 3_600_000;

export function settings(more: Partial<RolloutConfig> = {}): RolloutConfig {
  return { ...DEFAULT_ROLLOUT, ...more };
}

export function point(more: Partial<PointPlan> = {}): PointPlan {
  return { wave: 0, from: 1, changed: true, gone: false, movedMs: null, deniedPerHour: 0, ...more };
}

/** Version 2 after version 1, in two waves of one point each, before the first of them. */
export function rollout(more: Partial<RolloutState> = {}): RolloutState {
  return {
    format: 1,
    version: 2,
    digest: 'd'.repeat(64),
    startedMs: NOW,
    returnUntilMs: NOW + 24 * HOUR,
    waves: ['canary', 'all'],
    atOnce: null,
    phase: { is: 'rolling', wave: -1, sinceMs: NOW },
    confirm: null,
    unconfirmed: [],
    excused: [],
    points: { 'edge-1': point(), 'edge-2': point({ wave: 1 }) },
    ...more,
  };
}

/** It was heard of now and has applied nothing. */
export function sight(nowMs: number, more: Partial<Sight> = {}): Sight {
  const heard = { heardMs: nowMs, presentMs: NOW - HOUR, servedMs: null, appliedMs: null };
  return { ...heard, nack: null, refusesOlder: false, denials: null, deniedPerHour: 0, ...more };
}

export function sights(points: Record<string, Sight>, more: Partial<Sights> = {}): Sights {
  const heard = Object.values(points).map(({ heardMs }) => heardMs);
  const heardMs = heard.length === 0 ? null : Math.max(...heard);
  return { sinceMs: NOW - HOUR, heardMs, points: new Map(Object.entries(points)), ...more };
}

/** Points that are to have the new version. */
export function moved({ points }: RolloutState): string[] {
  return Object.entries(points).flatMap(([name, { movedMs }]) => (movedMs === null ? [] : [name]));
}
