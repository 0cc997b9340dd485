import t from 'tap';
import { createReloadPace } from '../../driver/reload/index.ts';

const hourMs = 3_600_000;

t.test('the first reload goes at once, the next ones keep their distance', async (t) => {
  const pace = createReloadPace({ reloadsPerHour: 120, minSecondsBetween: 5 });
  t.equal(pace.waitMs(1000), 0);
  pace.took(1000);
  t.equal(pace.waitMs(1000), 5000);
  t.equal(pace.waitMs(5999), 1);
  t.equal(pace.waitMs(6000), 0);
});

t.test('in no hour are there more than agreed, and no change waits longer than is said', async (t) => {
  for (const reloadsPerHour of [2, 3, 7, 120, 3600]) {
    const pace = createReloadPace({ reloadsPerHour, minSecondsBetween: 1 });
    const taken: number[] = [];
    let longestMs = 0;
    // A change at every moment, for three hours.
    for (let nowMs = 0; nowMs <= 3 * hourMs; ) {
      const waitMs = pace.waitMs(nowMs);
      longestMs = Math.max(longestMs, waitMs);
      nowMs += waitMs;
      pace.took(nowMs);
      taken.push(nowMs);
    }
    const most = Math.max(...taken.map((from) => taken.filter((at) => at >= from && at < from + hourMs).length));
    t.ok(most <= reloadsPerHour, `${reloadsPerHour} an hour: ${most}`);
    t.ok(longestMs <= pace.longestWaitMs, `${reloadsPerHour} an hour: none waits longer than ${pace.longestWaitMs} ms`);
    t.ok(pace.longestWaitMs <= Math.max(1000, 7_200_000 / reloadsPerHour) + 1, 'which is what the page says');
  }
});

t.test('a clock that steps back makes nobody wait longer than is said', async (t) => {
  const pace = createReloadPace({ reloadsPerHour: 120, minSecondsBetween: 5 });
  pace.took(hourMs);
  t.equal(pace.waitMs(0), 5000);
});
