/**
 * What strangers write, from a real NGINX through the ledger to a terminal, a program and a spreadsheet: one event for each
 * refusal, with the labels that the policy gives, and nothing of it runs or moves anything.
 */
import { join } from 'node:path';
import { requireNginx, startEdge } from '@edgeward/test/kit';
import t from 'tap';
import { documentsIn } from '../../cli/test/fixtures/run.ts';
import { asking, checkShown, sendHostile } from './hostile-requests.ts';
import { startIn } from './running-service.ts';
import { dev, site } from './site.ts';
import { until } from './waiting.ts';

await requireNginx(t);

t.test('hostile requests are one event each, and harmless wherever it is shown', async (t) => {
  const edge = await startEdge(t);
  const it = await startIn(t, { edges: { 'edge-1': edge }, files: site });
  await until('the policy is in force', async () => (await it.status()).points[0]?.state === 'current');
  const refs = await sendHostile(t, edge.port);
  const options = ['--url', it.url, '--token-file', join(it.place.stateDir, 'api-token')];
  await until('all are stored', async () => (await it.denials()).denials.length >= refs.length);

  await t.test('as events they say what NGINX and the policy say, and nothing that was forged', async (t) => {
    const events = documentsIn(await asking(t, options)('--json')) as Record<string, unknown>[];
    t.strictSame(events, (await it.denials()).denials, 'as the service gave them');
    t.strictSame(
      events.map(({ ref }) => ref),
      refs,
      'one each',
    );
    for (const event of events) {
      t.match(event, { v: 1, point: 'edge-1', object: 'order-front', source: dev, sourceWorkloads: ['crm-2'] });
      t.match(event, { verdict: 'deny', sourceLabels: { app: 'crm', env: 'dev' }, port: 'tcp/443', revision: 1 });
    }
    t.equal(events.filter(({ truncated }) => truncated).length, 1, 'what is too long is cut, and says so');
  });
  await checkShown(t, refs, options);
});
