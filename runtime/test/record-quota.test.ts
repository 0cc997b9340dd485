/** How many records a sender may bring, by a clock that is whatever it is. */
import t from 'tap';
import { createRecordQuota } from '../src/record-quota.ts';

t.test('over time each sender brings what was agreed, and twenty seconds of it at once', (t) => {
  const quota = createRecordQuota(100);
  let taken = 0;
  for (let nowMs = 0; nowMs <= 600_000; nowMs += 100) if (quota.take('a', 500, nowMs) === 0) taken += 500;
  t.ok(taken <= 2_000 + 60_000 && taken > 60_000, `${taken} records in ten minutes`);
  t.equal(quota.take('b', 2_000, 0), 0, 'another one is another one');
  t.equal(quota.take('b', 1, 0), 10);
  t.equal(quota.take('c', 1_000_000, 0), 0, 'what is larger than all of it is no reason to wait for ever');
  t.end();
});

t.test('whoever was sent away is not heard before there is as much as he brought', (t) => {
  const quota = createRecordQuota(100);
  t.equal(quota.waitMs('a', 0), 0);
  quota.take('a', 2_000, 0);
  t.equal(quota.waitMs('a', 0), 0, 'he may come with little');
  t.equal(quota.take('a', 300, 0), 3_000);
  t.equal(quota.waitMs('a', 0), 3_000);
  t.equal(quota.waitMs('a', 2_000), 1_000);
  t.equal(quota.waitMs('a', 3_000), 0);
  t.equal(quota.take('a', 100, 3_000), 0);
  t.equal(quota.waitMs('a', 3_000), 0, 'and is forgiven when he was');
  t.end();
});

t.test('a clock that is set back gives nothing and takes nothing', (t) => {
  const quota = createRecordQuota(100);
  quota.take('a', 2_000, 10_000_000);
  t.equal(quota.take('a', 100, 0), 1_000);
  t.equal(quota.take('a', 100, 1_000), 0);
  t.end();
});
