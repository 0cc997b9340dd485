/** What a service says of its point is read in its shape, and shown without harm. */
import { type PointReport, pointReportOf } from '@edgeward/policy-format';
import t from 'tap';

const good: PointReport = {
  typ: 'edgeward-report/1',
  point: 'edge-1',
  at: '2026-11-22T12:00:00.000Z',
  service: 'sync-eu-1',
  epoch: 1,
  revision: 7,
  applied: null,
  state: 'behind',
  nack: { revision: 8, stage: 'fence', code: 'EDW_ERR_FENCE_OUTSIDE', message: '10.9.9.9 is outside' },
  witnessed: { size: 3, hash: 'a'.repeat(64) },
  contradicted: false,
  denials: { total: 12, sinceMs: 1_795_353_600_000 },
};

t.test('a report is read as it was written', async (t) => {
  t.strictSame(pointReportOf(good), good);
  const first = { ...good, epoch: 0, revision: 0, nack: null, witnessed: null, state: 'no-policy' as const };
  t.strictSame(pointReportOf(first), first);
});

t.test('a text that would steer a terminal comes back as it can be shown', async (t) => {
  const nack = { ...good.nack, message: 'a\u001b[2Jb\nc' };
  t.equal(pointReportOf({ ...good, nack }).nack?.message, 'a\ufffd[2Jb\ufffdc');
});

t.test('a report in any other shape is refused', async (t) => {
  for (const [name, change] of [
    ['a key too many', { more: 1 }],
    ['another kind', { typ: 'edgeward-report/2' }],
    ['no name of a point', { point: '../edge-1' }],
    ['a state that is not known', { state: 'fine' }],
    ['a revision below nothing', { revision: -1 }],
    ['a stage that is not known', { nack: { ...good.nack, stage: 'later' } }],
    ['a message like a book', { nack: { ...good.nack, message: 'a'.repeat(2001) } }],
    ['no code of ours', { nack: { ...good.nack, code: 'oops' } }],
  ] as const)
    t.throws(() => pointReportOf({ ...good, ...change }), { code: 'EDW_ERR_FORMAT_REPORT' }, name);
});
