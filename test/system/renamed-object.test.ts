/** An object that gets another name while NGINX goes on counting under its bind. */
import { isDeepStrictEqual } from 'node:util';
import { requireNginx, startEdge } from '@edgeward/test/kit';
import t from 'tap';
import { startIn, sumOf } from './running-service.ts';
import { ask, policy, stranger, virtualServer } from './site.ts';
import { until } from './waiting.ts';

await requireNginx(t);

t.test('what NGINX counted stays what is in the ledger under a new name of the object', async (t) => {
  const edge = await startEdge(t, { servers: [{ name: 'order-front' }] });
  const named = (name: string): string => virtualServer(name, 'edge-1').replace(`bind: ${name}`, 'bind: order-front');
  const files = { 'front.yaml': named('old-name'), 'shop.yaml': policy };
  const it = await startIn(t, { edges: { 'edge-1': edge }, files });
  const denials = async (): Promise<unknown> => (await it.status()).points[0]?.denials;
  const are = (count: number) => async (): Promise<boolean> =>
    isDeepStrictEqual(await denials(), { stored: count, counted: count, uncovered: {} });

  await until('the policy is in force', async () => (await it.status()).points[0]?.state === 'current');
  t.equal((await ask(edge.port, stranger)).status, 403);
  await until('one is counted', are(1));
  await it.write('front.yaml', named('new-name'));
  await until('the new name is in force', async () => (await it.status()).points[0]?.appliedRevision === 2);
  t.equal((await ask(edge.port, stranger)).status, 403);
  await until('two are counted', are(2));
  const samples = await it.metrics();
  t.equal(sumOf(samples, 'edgeward_enforced_denials_total', { object: 'new-name' }), 2);
  t.equal(sumOf(samples, 'edgeward_ledger_denials_total'), 2);
});
