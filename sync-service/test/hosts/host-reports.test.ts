/** How long a host may be silent, whatever the time of day does meanwhile. */
import { STALE_AFTER_MS } from '@edgeward/host-agent/protocol';
import t from 'tap';
import { createManualClock } from '../../../runtime/test/fixtures/manual-clock.ts';
import { createHostReports } from '../../src/hosts/host-reports.ts';
import { reportAt } from '../fixtures/calling.ts';

const DAY_MS = 86_400_000;

t.test('a clock that is set makes no host stale, and hides none that is silent', async (t) => {
  for (const setMs of [DAY_MS, -DAY_MS]) {
    const time = createManualClock(Date.parse('2026-11-23T10:00:00Z'));
    let aheadMs = 0;
    const reports = createHostReports({ now: () => time.now() + aheadMs, after: time.after });
    for (const point of ['host-1', 'host-2']) reports.hear(point, reportAt(time.now()), '127.0.0.1');
    aheadMs = setMs;
    await time.advance(STALE_AFTER_MS - 1);
    t.notOk(reports.isStale('host-1'));
    reports.hear('host-2', reportAt(time.now()), '127.0.0.1');
    await time.advance(1);
    t.strictSame([reports.isStale('host-1'), reports.isStale('host-2')], [true, false], `set by ${setMs} ms`);
    reports.hear('host-1', reportAt(time.now()), '127.0.0.1');
    t.notOk(reports.isStale('host-1'), 'one report heals it');
    reports.close();
    t.equal(time.pending(), 0);
  }
});
