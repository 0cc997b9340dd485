/** What is in force, and what is known, when parts around a BIG-IP fail: a reboot, a kill, a lost connection, no token left. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { objectPath } from '@edgeward/f5-irules';
import { requireTclsh, virtualOf } from '@edgeward/test/kit';
import t from 'tap';
import { placeAt, pointOf, pointWhen, startEnforcing } from './bigip-service.ts';
import { ask, startBox } from './bigip-site.ts';
import { killableService } from './killable-service.ts';
import { startAt, sumOf } from './running-service.ts';
import { crm, dev, stranger, workload } from './site.ts';
import { eventually, until } from './waiting.ts';

await requireTclsh(t);

t.test('a box that reboots with a policy that was not saved has it back', async (t) => {
  const box = await startBox(t);
  const it = await startEnforcing(t, box);
  const orders = box.ports.orders ?? 0;
  await pointWhen(it, 'it is protected', ({ state, unprotected }) => state === 'current' && unprotected.length === 0);
  box.unit.inject({ kind: 'restarting-503', method: 'POST', path: 'tm/sys/config', times: 4 });
  await it.write('crm-1.yaml', workload('crm-1', crm, 'dev'));
  await it.write('crm-2.yaml', workload('crm-2', dev, 'prod'));
  await until('the new policy is in force', async () => (await ask(orders, crm)).outcome === 'reset');
  const saves = (): number[] =>
    box.unit
      .calls()
      .filter(({ path }) => path.startsWith('/mgmt/tm/sys/config'))
      .map(({ status }) => status);
  await until('it could not be saved', () => saves().includes(503));
  await box.unit.reboot();
  t.match(box.unit.configText(), /edgeward \{\s+data "1 1 /, 'it came back with the policy before');
  await until('the new policy is in force again', async () => (await ask(orders, crm)).outcome === 'reset');
  const point = await pointWhen(it, 'and saved', ({ state, lastError }) => state === 'current' && lastError === null);
  t.equal(saves().at(-1), 200);
  t.equal(point.appliedRevision, (await it.status()).policy.revision);
  await box.unit.reboot();
  t.strictSame([(await ask(orders, crm)).outcome, (await ask(orders, dev)).outcome], ['reset', 200]);
});

t.test('a service that is killed leaves the box as it is; the next life looks first and writes nothing', async (t) => {
  const box = await startBox(t);
  const place = await placeAt(t, box);
  const service = killableService(t, place);
  const orders = box.ports.orders ?? 0;
  await service.start();
  await until('in force', async () => (await service.status()).points[0]?.state === 'current');
  await box.rules('attach', 'orders', 'ledger');
  t.strictSame([(await ask(orders, crm)).outcome, (await ask(orders, stranger)).outcome], [200, 'reset']);
  // Written behind the push: a life that ends before has never published it, as far as the next one can know.
  await until('the policy is on disk', async () => existsSync(join(place.stateDir, 'cache', 'snapshot.ndjson')));
  await service.kill();
  t.equal((await ask(orders, crm)).outcome, 200);
  const { ref } = await ask(orders, crm, '/v1/admin');
  const [calls, writes] = [box.unit.calls().length, box.writes().length];
  await service.start();
  await until('current again', async () => (await service.status()).points[0]?.state === 'current');
  const fresh = box.unit.calls().slice(calls);
  t.ok(
    fresh.some(({ method, path }) => method === 'GET' && path.includes('eg_map')),
    'it looked',
  );
  t.strictSame(box.writes().slice(writes), [], 'and wrote nothing');
  t.match(await service.status(), { policy: { revision: 1 }, points: [{ appliedRevision: 1, drift: { count: 0 } }] });
  const why = await eventually('what was denied meanwhile is stored', () => service.get(`/v1/why/${ref}`));
  t.match(why, { event: { reason: 'request-not-allowed' }, nearestRule: 'crm-orders' });
});

t.test('denials whose way to the collector was gone are missing, and that is said', async (t) => {
  const box = await startBox(t);
  const it = await startEnforcing(t, box);
  const orders = box.ports.orders ?? 0;
  const publisher = objectPath('tm/sys/log-config/publisher', '/Edgeward/eg_audit');
  // Each TMM numbers for itself, and a hole shows when a later number comes.
  const denied = async (times: number): Promise<void> => {
    const outcomes = new Set<unknown>();
    for (let n = 0; n < times; n += 1) outcomes.add((await ask(orders, stranger)).outcome);
    t.strictSame([...outcomes], ['reset'], 'with or without a way for its event');
  };
  await denied(20);
  await pointWhen(it, 'all are stored', ({ denials }) => denials.stored === 20);
  await box.admin().modify(publisher, { destinations: [] });
  await denied(5);
  await box.admin().modify(publisher, { destinations: ['/Edgeward/eg_hsl'] });
  await denied(20);
  const { denials } = await pointWhen(it, 'the holes are seen', (point) => point.denials.counted === 45);
  t.strictSame(denials, { stored: 40, counted: 45, uncovered: {} });
  const samples = await it.metrics();
  t.equal(sumOf(samples, 'edgeward_gap_denials', { point: 'bigip-1', cause: 'missing' }), 5);
});

t.test('a user without a token left is told with its mend, and heals when one is given back', async (t) => {
  const box = await startBox(t);
  const others = Array.from({ length: 100 }, () => box.client());
  for (const other of others) await other.version();
  const it = await startAt(t, await placeAt(t, box));
  const { lastError, appliedRevision } = await pointWhen(it, 'it is told', (point) => point.lastError !== null);
  t.match(lastError, { code: 'EDW_ERR_BIGIP_TOKENS_EXHAUSTED', mend: /tokens/ });
  t.equal(appliedRevision, null);
  t.match((await it.status()).headline, /^NOT ENFORCING: no point holds a policy/);
  await others[0]?.close();
  await pointWhen(it, 'it heals by itself', ({ state, lastError }) => state === 'current' && lastError === null);
  await box.rules('attach', 'orders');
  t.equal((await ask(box.ports.orders ?? 0, stranger)).outcome, 'reset');
});

t.test('a rule of somebody else that speaks after our answer makes a reset of it: nobody passes', async (t) => {
  const more = 'ltm rule /Common/theirs {\nwhen HTTP_REQUEST {\n    HTTP::header insert X-Theirs 1\n}\n}\n';
  const box = await startBox(t, { more });
  const it = await startEnforcing(t, box);
  const orders = box.ports.orders ?? 0;
  const front = objectPath('tm/ltm/virtual', virtualOf('orders'));
  const rules = (await box.admin().get(front))?.rules as string[];
  await box.admin().modify(front, { rules: [...rules, '/Common/theirs'] });
  t.equal((await ask(orders, crm)).outcome, 200);
  t.equal((await ask(orders, crm, '/v1/admin')).outcome, 'reset');
  await until('it is in the ledger', async () => (await pointOf(it)).denials.stored === 1);
  t.match((await it.denials()).denials, [{ reason: 'request-not-allowed', method: 'GET', path: '/v1/admin' }]);
});
