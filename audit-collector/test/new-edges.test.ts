/** New edges, over a real ledger that is opened again. */
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { openLedgerHere } from '../src/ledger/sqlite/sqlite-ledger.ts';
import { newEdges } from '../src/new-edges.ts';
import { batchOf, eventOf } from './ledger/fixtures.ts';

async function ledgerIn(t: Test, dir: string) {
  const ledger = await openLedgerHere({ file: join(dir, 'ledger.db'), synchronous: 'NORMAL' });
  t.teardown(() => ledger.close());
  return ledger;
}

t.test('an edge is new once, and not again after a restart', async (t) => {
  const dir = t.testdir();
  const ledger = await ledgerIn(t, dir);
  const edges = await newEdges(ledger);
  const from = { app: 'crm', env: 'dev' };
  const denials = [
    { sourceLabels: from, isNew: true },
    { sourceLabels: from, isNew: false },
    { sourceLabels: { env: 'dev', app: 'crm' }, isNew: false },
    { sourceLabels: { ...from, env: 'prod' }, isNew: true },
    { sourceLabels: from, port: 'tcp/22', isNew: true },
    { sourceLabels: from, object: 'another', isNew: true },
    { sourceLabels: {}, isNew: true },
    { sourceLabels: {}, isNew: false },
  ].map(({ isNew, ...of }, index) => ({ isNew, event: { ...eventOf({ ref: `r-${index}` }), ...of } }));
  for (const [index, { event, isNew }] of denials.entries()) t.equal(edges.isNew(event), isNew, `denial ${index}`);

  await ledger.store(batchOf(denials.map(({ event }) => event)));
  await ledger.close();
  const again = await newEdges(await ledgerIn(t, dir));
  for (const { event } of denials) t.notOk(again.isNew(event));
  t.ok(again.isNew({ ...eventOf({}), sourceLabels: from, port: 'tcp/8080' }));
});
