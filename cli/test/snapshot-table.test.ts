/** What `edgeward status` says of native snapshots. */
import t from 'tap';
import type { ShownPoint } from '../src/service/service-answers.ts';
import { snapshotTable } from '../src/service/snapshot-table.ts';

const NOW = 1_000_000_000;
const idle = { takenAt: NOW - 120_000, slow: null, nextAt: null, reloads: 3, failures: 0, lastError: null };
const point = (snapshot: ShownPoint['snapshot']): ShownPoint => ({ point: 'edge-1', snapshot }) as ShownPoint;

t.test('a line for each point in mode hybrid, and none without', (t) => {
  t.equal(snapshotTable([point(null)], NOW), '');
  const slow = { ...idle, slow: { objects: 1, since: NOW - 12_000 }, nextAt: NOW + 48_000, failures: 1 };
  const none = { ...idle, takenAt: null, slow: { objects: 7, since: NOW }, nextAt: NOW - 5 };
  const lines = snapshotTable([point(idle), point(slow), point(none)], NOW).split('\n');
  t.match(lines[0], /^SNAPSHOT +TAKEN +CHANGED SINCE +FOR +NEXT +RELOADS +FAILED/);
  t.match(lines[1], /^edge-1 +2m ago +nothing +- +- +3 +0/);
  t.match(lines[2], /^edge-1 +2m ago +1 object +12s +in 48s +3 +1/);
  t.match(lines[3], /^edge-1 +never +7 objects +0\w* +in 0\w* +3 +0/);
  t.end();
});
