/** What somebody changes in the partition of a BIG-IP by hand: put right, only told, or left alone, as it is configured. */
import { objectPath } from '@edgeward/f5-irules';
import { type Bigip, requireTclsh, virtualOf } from '@edgeward/test/kit';
import t from 'tap';
import { pointOf, pointWhen, startEnforcing } from './bigip-service.ts';
import { ask, startBox } from './bigip-site.ts';
import { crm, dev, stranger, workload } from './site.ts';
import { until } from './waiting.ts';

await requireTclsh(t);

const map = objectPath('tm/ltm/data-group/internal', '/Edgeward/eg_map');

/** Opens the orders to everybody; what the map said before is the answer. */
async function switchOff(box: Bigip): Promise<unknown> {
  const records = (await box.admin().get(map))?.records as { name: string; data: string }[];
  const changed = records.map(({ name, data }) => ({
    name,
    data: name === virtualOf('orders') ? data.replace(' enforce ', ' off ') : data,
  }));
  await box.admin().modify(map, { records: changed });
  return records;
}

t.test('repair: it is put right, counted, and named', async (t) => {
  const box = await startBox(t);
  const it = await startEnforcing(t, box);
  const orders = box.ports.orders ?? 0;
  t.equal((await ask(orders, stranger)).outcome, 'reset');
  await switchOff(box);
  t.equal((await ask(orders, stranger)).outcome, 200, 'tampered with');
  await until('it is put right', async () => (await ask(orders, stranger)).outcome === 'reset');
  const { drift } = await pointWhen(it, 'it is known', ({ state }) => state === 'current');
  t.match(drift, { count: 1, last: { action: 'repair', changes: [/eg_map/] } });
});

t.test('report: it is told and left; the next policy writes over it', async (t) => {
  const box = await startBox(t);
  const it = await startEnforcing(t, box, { onDrift: 'report' });
  const orders = box.ports.orders ?? 0;
  await switchOff(box);
  const point = await pointWhen(it, 'it is known', ({ drift }) => drift.count === 1);
  t.match(point, { state: 'behind', drift: { last: { action: 'report', changes: [/eg_map/] } } });
  t.equal((await ask(orders, stranger)).outcome, 200, 'as they left it');
  await it.write('crm-2.yaml', workload('crm-2', dev, 'prod'));
  await until('the next policy is in force', async () => (await ask(orders, stranger)).outcome === 'reset');
  t.equal((await ask(orders, dev)).outcome, 200);
});

t.test('freeze: nothing is written any more until it is as it was', async (t) => {
  const box = await startBox(t);
  const it = await startEnforcing(t, box, { onDrift: 'freeze' });
  const orders = box.ports.orders ?? 0;
  const before = await switchOff(box);
  const point = await pointWhen(it, 'it is known', ({ drift }) => drift.count === 1);
  t.match(point, { state: 'behind', appliedRevision: 1, drift: { last: { action: 'freeze' } } });
  const writes = box.writes().length;
  await it.write('crm-2.yaml', workload('crm-2', dev, 'prod'));
  await pointWhen(it, 'the new policy is desired', ({ desiredRevision }) => desiredRevision === 2);
  await pointWhen(
    it,
    'it was looked at again',
    ({ lastCheckedAt }) => (lastCheckedAt ?? 0) > (point.lastCheckedAt ?? 0),
  );
  t.equal(box.writes().length, writes, 'not even the new policy');
  t.equal((await pointOf(it)).appliedRevision, 1);
  await box.admin().modify(map, { records: before });
  await until('put back by hand, it goes on', async () => (await ask(orders, dev)).outcome === 200);
  t.strictSame([(await ask(orders, crm)).outcome, (await ask(orders, stranger)).outcome], [200, 'reset']);
});
