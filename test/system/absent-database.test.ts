/** The ledger is in a PostgreSQL that is away when the service begins. */
import { readFile, writeFile } from 'node:fs/promises';
import { requireNginx, requirePostgres, startEdge, startPostgres } from '@edgeward/test/kit';
import t from 'tap';
import { preparePlace, startAt } from './running-service.ts';
import { ask, crm, site, stranger } from './site.ts';
import { eventually, until } from './waiting.ts';

requirePostgres(t);
await requireNginx(t);

t.test('a database that is away keeps no policy from its points, and denials wait for it', async (t) => {
  const server = await startPostgres(t, { fsync: false });
  await server.kill();
  const edge = await startEdge(t);
  const place = await preparePlace(t, { edges: { 'edge-1': edge }, files: site });
  const { host, port, user, database, passwordFile } = server;
  const config = JSON.parse(await readFile(place.configFile, 'utf8')) as object;
  const denials = { postgres: { host, port, user, database, passwordFile } };
  await writeFile(place.configFile, JSON.stringify({ ...config, denials }));

  const it = await startAt(t, place);
  await until('the policy is in force', async () => (await it.status()).points[0]?.state === 'current');
  t.strictSame([(await ask(edge.port, crm)).status, (await ask(edge.port, stranger)).status], [200, 403]);
  await until('the status says why', async () => (await it.status()).points[0]?.logError !== null);
  t.match((await it.status()).points[0]?.logError, { code: 'EDW_ERR_LEDGER_UNREACHABLE', mend: /PostgreSQL/ });
  t.match(await it.get('/v1/denials'), { status: 503, json: { error: { code: 'EDW_ERR_LEDGER_UNREACHABLE' } } });
  t.equal((await it.get('/metrics', null)).status, 200);

  await server.restart();
  // It is asked again with pauses of up to half a minute.
  const stored = async () =>
    ((await it.get('/v1/denials')).status === 200 ? (await it.denials()).denials[0] : null) ?? null;
  const denial = await eventually('the denial is stored', stored, 3_000);
  t.match(denial, { object: 'order-front', reason: 'unknown-source', sourceLabels: {} });
  t.strictSame(await server.sql('SELECT object, count FROM edgeward.denial_totals'), [
    { object: 'order-front', count: '1' },
  ]);
});
