/**
 * What has to hold: soon after whatever was broken is whole again no point is behind and both services are content, and at
 * all times whatever is seen in force at a point is one state that was published for it.
 */
import { availableParallelism, loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { type InForce, numberIn, patternOf } from './estate.ts';
import type { Service, Stage } from './stage.ts';
import type { Watch } from './watch.ts';

export interface Recovery {
  /** Null: not within the time that is allowed. */
  tookMs: number | null;
  allowedMs: number;
  /** What was still missing when the time was over. */
  missing: string[];
}

/** Of the issue: nobody is older than that after recovery. */
const RECOVERED_MS = 15_000;
const LOOK_MS = 100;

/** On a machine that others use as well everything takes longer, the product and the test. */
export function allowedMs(): number {
  const [load = 0] = loadavg();
  return RECOVERED_MS * Math.min(3, Math.max(1, load / availableParallelism()));
}

/** Until everybody holds what was newest when this was called. */
export async function recovered(stage: Stage, watches: readonly Watch[]): Promise<Recovery> {
  const startedMs = performance.now();
  const newest = { number: stage.machines.newest().number, version: stage.publisher.version() };
  for (;;) {
    const missing = [
      ...watches.flatMap((watch) => behind(stage, watch, newest)),
      ...(await Promise.all(stage.services.map((service) => discontent(service)))).flat(),
    ];
    const tookMs = performance.now() - startedMs;
    if (missing.length === 0) return { tookMs, allowedMs: allowedMs(), missing };
    if (tookMs > allowedMs()) return { tookMs: null, allowedMs: allowedMs(), missing };
    await sleep(LOOK_MS);
  }
}

function behind(
  { published }: Stage,
  { point, revision }: Watch,
  newest: { number: number; version: number },
): string[] {
  const held = published.at(point, revision());
  if (held === null) return [`${point} holds revision ${revision()}, which is not known`];
  const has = `${point} holds inventory ${held.number} and version ${held.version}`;
  return held.number >= newest.number && held.version >= newest.version
    ? []
    : [`${has}, not ${newest.number} and ${newest.version}`];
}

/** Both push to the same points: whoever is late has to come round by itself. */
export async function discontent({ name, status }: Service): Promise<string[]> {
  try {
    const { policy, points } = await status();
    const errors = policy.errors.map(({ message }) => `${name}: ${message}`);
    const states = points.filter(({ state }) => state !== 'current' && state !== 'applying');
    return [
      ...errors,
      ...(policy.state === 'current' ? [] : [`${name}: the policy is ${policy.state}`]),
      ...states.map(({ point, state, lastError }) => `${name}: ${point} is ${state}: ${lastError?.message ?? ''}`),
    ];
  } catch (thrown) {
    return [`${name}: ${thrown instanceof Error ? thrown.message : String(thrown)}`];
  }
}

export interface Seen {
  /** Patterns that are no published state, or not the one of their revision. */
  wrong: string[];
  /** Revisions whose state the store's process had no time to tell; they are states that were written all the same. */
  untold: number;
  revisions: number;
}

/** Everything that was ever seen in force, against everything that was given out. */
export function judgePatterns(stage: Stage, { point, patterns }: Watch): Seen {
  const seen: Seen = { wrong: [], untold: 0, revisions: patterns.size };
  for (const [revision, found] of patterns) {
    const state = stage.published.at(point, revision);
    if (state === null) seen.untold += 1;
    const expected = state === null ? writtenPatterns(stage) : new Set([patternOf(state)]);
    const wrong = [...found].filter((pattern) => !expected.has(pattern));
    if (wrong.length > 0 || found.size !== 1)
      seen.wrong.push(
        `${point}, revision ${revision}: ${[...found].join(' and ')}, not ${[...expected].slice(0, 3).join(', ')}`,
      );
  }
  return seen;
}

function writtenPatterns({ machines, publisher }: Stage): Set<string> {
  const all = new Set<string>();
  for (let number = 1; number <= machines.newest().number; number += 1) {
    const members = machines.membersAt(number) ?? new Set<string>();
    for (let version = 1; version <= publisher.version() + 1; version += 1) all.add(patternOf({ members, version }));
  }
  return all;
}

/** Whatever the store gave out is one thing that machines said, whole. */
export function judgePublished({ published, machines }: Stage, point: string): string[] {
  const wrong: string[] = [];
  for (let revision = 1; revision <= published.newest(point); revision += 1) {
    const state = published.at(point, revision);
    const written = state === null ? null : machines.membersAt(numberIn(state.members));
    if (state !== null && !isSame(state, written)) wrong.push(`${point}, revision ${revision}: half an inventory`);
  }
  return wrong;
}

function isSame({ members }: InForce, written: ReadonlySet<string> | null): boolean {
  return written !== null && members.size === written.size && [...members].every((address) => written.has(address));
}
