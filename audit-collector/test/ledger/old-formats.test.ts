/** Ledgers of releases before this one, as files that their code made: `ledger-format-N.sql`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t, { type Test } from 'tap';
import { openLedgerHere } from '../../src/ledger/sqlite/sqlite-ledger.ts';
import { t0 } from '../kit.ts';
import { batchOf, cursorAt, eventOf, numbered, rangesIn, storeNumbers } from './fixtures.ts';

function oldLedger(t: Test): string {
  const file = join(t.testdir({}), 'ledger.db');
  const db = new DatabaseSync(file);
  db.exec(readFileSync(new URL('ledger-format-3.sql', import.meta.url), 'utf8'));
  db.close();
  return file;
}

t.test('a ledger of format 3 opens with all that it holds, and goes on where it stood', async (t) => {
  const file = oldLedger(t);
  for (const name of ['first', 'again']) {
    const ledger = await openLedgerHere({ file });
    t.teardown(() => ledger.close());
    const denials = await ledger.denials({});
    t.strictSame(
      denials.map(({ id, event }) => [id, event.ref, event.point]),
      [
        [3, 'a', 'edge-1'],
        [4, 'b', 'edge-1'],
        [5, 'c', 'edge-1'],
        [6, null, 'edge-1'],
        [7, '0/e1/1', 'big-1'],
        [8, '0/e1/2', 'big-1'],
        [9, '0/e1/5', 'big-1'],
        [10, null, 'host-1'],
        [11, null, 'host-1'],
      ],
      name,
    );
    const day = t0 - 86_400_000;
    const hostile = { ref: 'a', t: day, path: '/\0\u001b\uFFFD\u{1F600}"\'' };
    t.strictSame(denials[0]?.event, eventOf(hostile), 'to the byte');
    const crm = {
      ref: 'b',
      t: day + 61_000,
      source: '10.30.1.4',
      reason: 'denied-by-rule' as const,
      rule: "no-'bots'",
    };
    t.strictSame(denials[1]?.event, eventOf(crm), 'with its labels');
    t.match(ledger.sums(), {
      totals: [
        { point: 'big-1', count: 3 },
        { object: '__proto__', count: 1 },
        { reason: 'denied-by-rule', count: 1 },
        { point: 'edge-1', verdict: 'deny', count: 3 },
        { verdict: 'would-deny', count: 1 },
        { point: 'host-1', count: 6 },
      ],
      unparsed: [{ cause: 'not-json', count: 1 }],
      losses: [{ cause: 'gone', count: 1 }],
      sequences: [{ stored: 3, missing: 2, suppressed: 3 }],
      spools: [{ stored: 3, missing: 1 }],
      uncovered: [{ cause: 'not-sampled', count: 100 }],
      enforced: [{ point: 'edge-1', object: 'order-front', count: 9 }],
    });
    t.strictSame(await ledger.cursors('edge-1', '/deny.log'), [cursorAt(20)]);
    const counted = [await ledger.minutes({}), await ledger.hours({}), await ledger.edges({})];
    const sums = counted.map((rows: { count: number }[]) => rows.reduce((all, { count }) => all + count, 0));
    t.strictSame(sums, [13, 13, 13], 'counted as if it had been stored now');
    t.match(await ledger.edges({ object: 'db-1' }), [{ sourceLabels: { app: 'crm' }, port: 'tcp/5432', count: 6 }]);
    t.strictSame(await rangesIn(ledger), ['0/e1/3-4']);
    t.match(await ledger.spoolGaps('host-1'), [{ first: 3, last: 3 }]);
    t.match(await ledger.quarantined(), [{ sample: 'prose\n' }]);
    await ledger.close();
  }
  const ledger = await openLedgerHere({ file });
  t.teardown(() => ledger.close());
  t.match(await storeNumbers(ledger, [numbered({ seq: 2 }), numbered({ seq: 3 })]), { repeated: 1, late: 1 });
  t.equal((await ledger.store(batchOf([eventOf({})])))[0]?.id, 13);
});
