/** A pair: one policy on both units, whoever is active, and nobody else's changes carried along. */
import { objectPath } from '@edgeward/f5-irules';
import { requireTclsh, virtualOf } from '@edgeward/test/kit';
import t from 'tap';
import { pointOf, pointWhen, startEnforcing } from './bigip-service.ts';
import { ask, startBox } from './bigip-site.ts';
import { crm, dev, stranger, workload } from './site.ts';
import { until } from './waiting.ts';

await requireTclsh(t);

t.test('after a failover the standby judges by the same policy, its denials arrive, and edits go to it', async (t) => {
  const box = await startBox(t, { units: 2 });
  const it = await startEnforcing(t, box);
  const orders = box.ports.orders ?? 0;
  const verdicts = async (): Promise<unknown[]> => {
    const asked = [ask(orders, crm), ask(orders, crm, '/v1/admin'), ask(orders, dev), ask(orders, stranger)];
    return (await Promise.all(asked)).map(({ outcome }) => outcome);
  };
  t.strictSame(await verdicts(), [200, 403, 'reset', 'reset']);
  await box.simulator.failover();
  t.strictSame(await verdicts(), [200, 403, 'reset', 'reset'], 'at once, whatever the service knows of it');
  await until('denials of both units are in the ledger', async () => (await it.denials()).denials.length === 6);

  const [first, second] = box.simulator.units;
  const writesAt = (unit: typeof first): number =>
    unit?.calls().filter(({ method, path }) => method === 'PATCH' && path.includes('eg_map')).length ?? 0;
  const before = [writesAt(first), writesAt(second)];
  await it.write('crm-2.yaml', workload('crm-2', dev, 'prod'));
  await until('crm-2 is let in', async () => (await ask(orders, dev)).outcome === 200);
  await pointWhen(
    it,
    'both units have it',
    ({ state, appliedRevision }) => state === 'current' && appliedRevision === 2,
  );
  t.equal(writesAt(first), before[0], 'nothing is written to the standby');
  t.ok(writesAt(second) > (before[1] ?? 0));
  await box.simulator.failover();
  t.strictSame(await verdicts(), [200, 403, 200, 'reset'], 'and it came back to the first by config-sync');
  t.match(await pointOf(it), { lastError: null, drift: { count: 0 } });
});

t.test(
  'changes of somebody else are not synced with ours: it is in force, and the status says what to do',
  async (t) => {
    const box = await startBox(t, { units: 2 });
    const it = await startEnforcing(t, box);
    const orders = box.ports.orders ?? 0;
    const front = objectPath('tm/ltm/virtual', virtualOf('ledger'));
    await box.admin().modify(front, { description: 'half done' });
    await it.write('crm-2.yaml', workload('crm-2', dev, 'prod'));
    await until('crm-2 is let in', async () => (await ask(orders, dev)).outcome === 200);
    const { lastError } = await pointWhen(it, 'it is told', (point) => point.lastError !== null);
    t.match(lastError, { code: 'EDW_ERR_BIGIP_FOREIGN_CHANGES', mend: /config-sync/ });
    t.not((await box.admin(1).get(front))?.description, 'half done', 'nothing of theirs went along');
    const group = (await box.admin().list('tm/cm/device-group')).find(({ type }) => type === 'sync-failover');
    await box.admin().run('tm/cm', { command: 'run', utilCmdArgs: `config-sync to-group ${String(group?.name)}` });
    await pointWhen(
      it,
      'synced by its owner, all is well',
      (point) => point.state === 'current' && point.lastError === null,
    );
    await box.simulator.failover();
    t.equal((await ask(orders, dev)).outcome, 200);
  },
);
