/** The ledger goes bad while the service runs. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { requireNginx, startEdge } from '@edgeward/test/kit';
import t from 'tap';
import { startIn } from './running-service.ts';
import { ask, crm, site, stranger } from './site.ts';
import { until } from './waiting.ts';

await requireNginx(t);

t.test('a ledger that takes no denial is told by the status, and takes nothing else away', async (t) => {
  const edge = await startEdge(t);
  const it = await startIn(t, { edges: { 'edge-1': edge }, files: site });
  await until('the policy is in force', async () => (await it.status()).points[0]?.state === 'current');
  const ledger = new DatabaseSync(join(it.place.stateDir, 'ledger.db'));
  ledger.exec('DROP TABLE totals');
  ledger.close();
  t.strictSame([(await ask(edge.port, crm)).status, (await ask(edge.port, stranger)).status], [200, 403]);
  await until('the status says why', async () => (await it.status()).points[0]?.logError !== null);
  const { status, json } = await it.get('/v1/status');
  t.equal(status, 200);
  t.match(json, {
    headline: 'ENFORCING 1 object',
    points: [{ state: 'current', appliedRevision: 1, logError: { code: /^EDW_ERR_LEDGER_/, mend: /./ } }],
  });
  t.equal((await it.get('/metrics', null)).status, 200);
  t.strictSame([(await ask(edge.port, crm)).status, (await ask(edge.port, stranger)).status], [200, 403]);
});
