/** The ledger in PostgreSQL: what every ledger promises, on a real server. */
import t from 'tap';
import { requirePostgres } from '../../../test/kit/postgres.ts';
import { openPostgresLedger } from '../../src/ledger/postgres/postgres-ledger.ts';
import { migrations } from '../../src/ledger/postgres/schema.ts';
import { t0 } from '../kit.ts';
import { ledgerConformance } from '../ledger-conformance.ts';
import { batchOf, cursorAt, eventOf, numbered, refsIn, storeNumbers } from './fixtures.ts';
import { postgresPlace } from './postgres-place.ts';

requirePostgres(t);
const place = await postgresPlace(t, { fsync: false });
ledgerConformance(t, Object.assign(place.make, { runs: 5 }));

/** What each format added, taken away again: what is left is what the code before it had made. */
const undone: Record<number, string> = {
  2: 'DROP TABLE edgeward_ledger.loss_totals; DROP INDEX edgeward_ledger.quarantine_point',
  1: `CREATE OR REPLACE VIEW edgeward.enforced_totals AS
    SELECT point, object, reason, total AS count FROM edgeward_ledger.enforced; DROP TABLE edgeward_ledger.settlements`,
};
/** Columns, indexes and views of ours, without those of days. */
const shape = `SELECT table_name || '.' || column_name || ' ' || data_type AS part FROM information_schema.columns
    WHERE table_schema IN ('edgeward', 'edgeward_ledger') AND table_name !~ '^events_'
  UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'edgeward_ledger' AND tablename !~ '^events_'
  UNION ALL SELECT definition FROM pg_views WHERE schemaname = 'edgeward' ORDER BY 1`;

t.test('a ledger of an older format opens with all that it holds, and goes on where it stood', async (t) => {
  const { open, database } = place.make(t);
  const losses = ['7', '8'].map((inode) => ({ cause: 'gone' as const, inode, offset: 1 }));
  const unparsed = [{ cause: 'not-json' as const, sample: 'prose' }];
  const cursors = [{ from: null, cursor: cursorAt(20) }];
  const written = await open();
  await written.store(batchOf([eventOf({ ref: 'a' }), eventOf({ ref: 'b' })], { losses, unparsed, cursors }));
  await storeNumbers(written, [numbered({ seq: 1 }), numbered({ seq: 3 })]);
  await written.observeEnforced('edge-1', [{ object: 'order-front', reason: 'unknown-source', count: 9 }], 'e1');
  const [sums, refs] = [written.sums(), await refsIn(written)];
  await written.close();

  for (const format of [migrations.length - 1, 1]) {
    const { server } = place;
    const old = await server.createDatabase(await database);
    for (let undo = migrations.length - 1; undo >= format; undo -= 1) await server.sql(undone[undo] ?? '', [], old);
    await server.sql('UPDATE edgeward_ledger.state SET format = $1', [format], old);
    const made = await server.createDatabase();
    for (const migration of migrations.slice(0, format)) await server.sql(migration, [], made);
    t.strictSame(await server.sql(shape, [], old), await server.sql(shape, [], made), `it is of format ${format}`);

    const ledger = await openPostgresLedger(place.access(old));
    t.teardown(() => ledger.close());
    t.strictSame(ledger.sums(), sums, `format ${format}: every sum`);
    t.strictSame(await refsIn(ledger), refs);
    t.strictSame(await ledger.cursors('edge-1', '/deny.log'), [cursorAt(20)]);
    t.match(await ledger.quarantined(), [{ sample: 'prose' }]);
    await ledger.store(batchOf([], { losses, cursors: [{ from: 20, cursor: cursorAt(30) }] }));
    t.match(ledger.sums().losses, [{ cause: 'gone', count: 4 }]);
    t.match(await storeNumbers(ledger, [numbered({ seq: 1 }), numbered({ seq: 2 })]), { repeated: 1, late: 1 });
    const settling = { point: 'edge-1', epoch: 'e1', from: { unlogged: 0, uncounted: 0 }, seenMs: t0, storedMs: t0 };
    t.match(await ledger.settle({ ...settling, left: 7 }), { unlogged: 7 });
    const [state] = await server.sql('SELECT format FROM edgeward_ledger.state', [], old);
    t.strictSame(state, { format: migrations.length });
  }
});
