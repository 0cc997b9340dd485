/** When a snapshot is due, and that the keeper takes it then. */
import t from 'tap';
import {
  type SnapshotHistory,
  type SnapshotRules,
  snapshotDueMs,
  withoutFuture,
} from '../../driver/hybrid/snapshot-plan.ts';

const rules: SnapshotRules = { quietSeconds: 60, maxSlowSeconds: 600, reloadsPerHour: 3, minSecondsBetween: 5 };
const idle: SnapshotHistory = { slowSinceMs: null, lastChangeMs: 0, reloadsMs: [], failures: 0, lastFailureMs: 0 };
const HOUR = 3_600_000;

const cases: [string, Partial<SnapshotHistory>, number | null][] = [
  ['never while nothing is slow', { lastChangeMs: 5000 }, null],
  ['when it has been quiet', { slowSinceMs: 1000, lastChangeMs: 1000 }, 61_000],
  ['later with every change', { slowSinceMs: 1000, lastChangeMs: 30_000 }, 90_000],
  ['but not for ever', { slowSinceMs: 1000, lastChangeMs: 590_000 }, 601_000],
  ['not right after a reload', { slowSinceMs: 0, lastChangeMs: 0, reloadsMs: [58_000] }, 63_000],
  ['no more often than allowed', { slowSinceMs: 0, reloadsMs: [1000, 2000, 3000] }, 1000 + HOUR],
  ['however long it was', { slowSinceMs: 0, reloadsMs: [0, 1000, 2000, 3000] }, 1000 + HOUR],
  ['10 s after a failure', { slowSinceMs: 0, failures: 1, lastFailureMs: 70_000 }, 80_000],
  ['then twice as long', { slowSinceMs: 0, failures: 3, lastFailureMs: 70_000 }, 110_000],
  ['10 min at most', { slowSinceMs: 0, failures: 30, lastFailureMs: 70_000 }, 670_000],
];
for (const [claim, history, due] of cases)
  t.test(`a snapshot is due: ${claim}`, (t) => {
    t.equal(snapshotDueMs({ ...idle, ...history }, rules), due);
    t.end();
  });

t.test('a clock that steps back makes a snapshot wait no longer than the rules say', (t) => {
  const [later, now] = [50 * HOUR, 2 * HOUR];
  const history: SnapshotHistory = {
    slowSinceMs: later,
    lastChangeMs: later,
    reloadsMs: [later - 1, later, later],
    failures: 1,
    lastFailureMs: later,
  };
  t.equal(snapshotDueMs(withoutFuture(history, now), rules), now + HOUR, 'an hour, which has its three reloads');
  const once = { ...history, reloadsMs: [later] };
  t.equal(snapshotDueMs(withoutFuture(once, now), rules), now + 60_000, 'a quiet minute');
  t.strictSame(withoutFuture(history, later), history, 'what is past stays as it is');
  t.end();
});
