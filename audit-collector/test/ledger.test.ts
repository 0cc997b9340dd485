import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t, { type Test } from 'tap';
import { type DenyEvent, denyEvent } from '../src/deny-event.ts';
import type { DenyRecord } from '../src/deny-log.ts';
import { type Ledger, type LedgerBatch, openLedger } from '../src/ledger.ts';
import type { FileCursor } from '../src/log-cursor.ts';
import { denyRecord, labels, t0 } from './kit.ts';

const eventOf = (record: Partial<DenyRecord>, point = 'edge-1'): DenyEvent =>
  denyEvent(denyRecord(record), point, labels);
const cursorAt = (offset: number): FileCursor => ({
  dev: '1',
  inode: '18446744073709551615',
  offset,
  headLength: 10,
  headCrc: 0xffffffff,
  skipping: false,
  state: 'reading',
});
const batchOf = (events: DenyEvent[], more: Partial<LedgerBatch> = {}): LedgerBatch => ({
  point: 'edge-1',
  log: '/deny.log',
  storedMs: t0,
  events,
  unparsed: [],
  cursors: [],
  losses: [],
  ...more,
});

function setUp(t: Test): { file: string; ledger: Ledger } {
  const file = join(t.testdir({}), 'ledger.db');
  const ledger = openLedger({ file });
  t.teardown(() => ledger.close());
  return { file, ledger };
}

t.test('what is stored is what is read, to the byte', async (t) => {
  const { file, ledger } = setUp(t);
  const events = [
    eventOf({ ref: 'a', path: '/\0\u001b\uFFFD\u{1F600}"\'', source: '10.30.1.4', peer: '10.30.1.4' }),
    eventOf({ ref: null, peer: '198.51.100.7', verdict: 'would-deny', truncated: true, method: '' }),
  ];
  const stored = ledger.store(batchOf(events));
  t.strictSame(
    stored.map((denial) => denial.event),
    events,
  );
  t.strictSame(ledger.denials({}), stored);
  const other = openLedger({ file });
  t.teardown(() => other.close());
  t.strictSame(other.denials({}), stored, 'by another reader too');
  t.equal(statSync(file).mode & 0o777, 0o600, 'nobody else reads it');
});

t.test('denials are found by when, where, whom and reference, oldest first', async (t) => {
  const { ledger } = setUp(t);
  ledger.store(
    batchOf([
      eventOf({ ref: 'a', t: t0, source: '2001:db8::1' }),
      eventOf({ ref: 'b', t: t0 + 5_000, object: 'crm' }),
      eventOf({ ref: 'c', t: t0 + 1_000, source: '10.9.9.9' }, 'edge-2'),
      eventOf({ ref: 'd', t: t0 + 9_000 }),
    ]),
  );
  const table: [query: Parameters<Ledger['denials']>[0], refs: string[]][] = [
    [{}, ['a', 'b', 'c', 'd']],
    [{ limit: 2 }, ['a', 'b']],
    [{ limit: 2, newest: true }, ['c', 'd']],
    [{ afterId: 2 }, ['c', 'd']],
    [{ afterId: 4 }, []],
    [{ sinceMs: t0 + 1_000 }, ['b', 'c', 'd']],
    [{ sinceMs: t0 + 2_000 }, ['b', 'd']],
    [{ sinceMs: t0 + 10_000 }, []],
    [{ sinceMs: t0 + 2_000, afterId: 2 }, ['d']],
    [{ point: 'edge-2' }, ['c']],
    [{ object: 'crm' }, ['b']],
    [{ source: '2001:DB8:0::1' }, ['a']],
    [{ source: '::ffff:10.9.9.9' }, ['b', 'c', 'd']],
    [{ source: "' OR 1=1 --" }, []],
    [{ ref: 'c' }, ['c']],
    [{ point: 'edge-1', source: '10.9.9.9', limit: 1, newest: true }, ['d']],
  ];
  for (const [query, refs] of table) {
    t.strictSame(
      ledger.denials(query).map((denial) => denial.event.ref),
      refs,
      JSON.stringify(query),
    );
  }
  t.equal(ledger.byRef('b')?.id, 2);
  t.equal(ledger.byRef('z'), null);
});

t.test('a batch is stored whole or not at all, and a cursor moves only from where it stands', async (t) => {
  const { ledger } = setUp(t);
  ledger.store(batchOf([eventOf({ ref: 'a' })], { cursors: [{ from: null, cursor: cursorAt(10) }] }));
  const again = batchOf([eventOf({ ref: 'b', source: '10.30.1.4' })], { cursors: [{ from: 5, cursor: cursorAt(20) }] });
  t.throws(() => ledger.store(again), { code: 'EDW_ERR_LEDGER_CONTENDED' });
  t.equal(ledger.denials({}).length, 1);
  t.strictSame(ledger.cursors('edge-1', '/deny.log'), [cursorAt(10)]);
  const broken = { ...eventOf({ ref: 'c' }), revision: 1.5 };
  const moved = { cursors: [{ from: 10, cursor: cursorAt(20) }] };
  t.throws(() => ledger.store(batchOf([eventOf({ ref: 'b', source: '10.30.1.4' }), broken], moved)), {
    code: 'EDW_ERR_LEDGER_WRITE',
  });
  t.equal(ledger.denials({}).length, 1, 'neither');
  ledger.store(batchOf([eventOf({ ref: 'b', source: '10.30.1.4' })], moved));
  t.equal(ledger.denials({}).length, 2);
  t.strictSame(
    ledger.denials({ ref: 'b' })[0]?.event.sourceLabels,
    { app: 'crm' },
    'with labels first seen when it failed',
  );
  t.strictSame(ledger.cursors('edge-1', '/deny.log'), [cursorAt(20)]);
  t.match(ledger.totals(), [{ point: 'edge-1', object: 'order-front', reason: 'unknown-source', count: 2 }]);
});

t.test('the last hundred unreadable lines are kept, all are counted', async (t) => {
  const { ledger } = setUp(t);
  const unparsed = Array.from({ length: 130 }, (_, i) => ({ cause: 'not-json' as const, sample: `line ${i}` }));
  ledger.store(batchOf([], { unparsed }));
  t.strictSame(ledger.unparsed(), [{ point: 'edge-1', cause: 'not-json', count: 130 }]);
  const samples = ledger.quarantined().map((line) => line.sample);
  t.strictSame([samples.length, samples[0], samples.at(-1)], [100, 'line 30', 'line 129']);
});

t.test('retention deletes what was stored before, in steps, and totals stay', async (t) => {
  const { ledger } = setUp(t);
  const events = Array.from({ length: 5 }, (_, i) => eventOf({ ref: `old-${i}` }));
  ledger.store(batchOf(events));
  ledger.store(batchOf([eventOf({ ref: 'new' })], { storedMs: t0 + 10 }));
  t.equal(ledger.prune(t0 + 5, 3), 3);
  t.equal(ledger.prune(t0 + 5, 3), 2);
  t.equal(ledger.prune(t0 + 5, 3), 0);
  t.strictSame(
    ledger.denials({}).map((denial) => denial.event.ref),
    ['new'],
  );
  t.equal(ledger.totals()[0]?.count, 6);
  t.equal(ledger.prune(t0 + 50, 3), 1);
  t.equal(ledger.store(batchOf([eventOf({})]))[0]?.id, 7, 'an id is never given again');
});

t.test("the points' counters are added up over their lives", async (t) => {
  type Step = [name: string, counts: Record<string, number>, epoch: string | null, totals: Record<string, number>];
  const steps: Step[] = [
    ['first seen', { a: 5, b: 1 }, 'life-1', { a: 5, b: 1 }],
    ['read again', { a: 5, b: 1 }, 'life-1', { a: 5, b: 1 }],
    ['grown', { a: 8, b: 1 }, 'life-1', { a: 8, b: 1 }],
    ['begun anew and already past the old count', { a: 9 }, 'life-2', { a: 17, b: 1 }],
    ['a counter that comes later', { a: 9, b: 4 }, 'life-2', { a: 17, b: 5 }],
    ['without an epoch, a fall says it', { a: 2, b: 5 }, null, { a: 19, b: 6 }],
  ];
  const { file, ledger } = setUp(t);
  for (const [name, counts, epoch, totals] of steps) {
    const entries = Object.entries(counts).map(([object, count]) => ({ object, reason: 'unknown-source', count }));
    ledger.observeEnforced('edge-1', entries, epoch);
    const reader = openLedger({ file });
    t.strictSame(Object.fromEntries(reader.enforced().map(({ object, count }) => [object, count])), totals, name);
    reader.close();
  }
});

t.test('a file that cannot be used is a coded error, and stays as it was', async (t) => {
  const dir = t.testdir({ 'prose.db': 'this is no database, but somebody may need it\n'.repeat(50) });
  const newer = join(dir, 'newer.db');
  const future = new DatabaseSync(newer);
  future.exec('CREATE TABLE t (a); PRAGMA user_version = 99');
  future.close();
  const torn = join(dir, 'torn.db');
  openLedger({ file: torn }).close();
  const bytes = readFileSync(torn);
  writeFileSync(torn, Buffer.concat([bytes.subarray(0, 100), Buffer.alloc(bytes.length - 100, 0xa5)]));
  mkdirSync(join(dir, 'folder.db'));
  const table: [file: string, code: string][] = [
    ['prose.db', 'EDW_ERR_LEDGER_DAMAGED'],
    ['torn.db', 'EDW_ERR_LEDGER_DAMAGED'],
    ['newer.db', 'EDW_ERR_LEDGER_NEWER'],
    ['folder.db', 'EDW_ERR_LEDGER_UNWRITABLE'],
    ['no/such/folder.db', 'EDW_ERR_LEDGER_UNWRITABLE'],
  ];
  for (const [name, code] of table) {
    const file = join(dir, name);
    const before = existsSync(file) && statSync(file).isFile() ? readFileSync(file) : null;
    t.throws(() => openLedger({ file }), { code, mend: String }, name);
    if (before !== null) t.ok(readFileSync(file).equals(before), `${name} is untouched`);
  }
});

t.test('a read-only ledger is found out when it is opened', async (t) => {
  const file = join(t.testdir({}), 'ledger.db');
  openLedger({ file }).close();
  chmodSync(file, 0o444);
  chmodSync(join(file, '..'), 0o555);
  const { getuid, seteuid } = process;
  const asRoot = getuid?.() === 0;
  // Root may write everything: be nobody for a moment. The tap folders above must then be passable.
  if (asRoot) seteuid?.call(process, 65534);
  try {
    t.throws(() => openLedger({ file }), { code: 'EDW_ERR_LEDGER_UNWRITABLE' });
  } finally {
    if (asRoot) seteuid?.call(process, 0);
    chmodSync(join(file, '..'), 0o755);
  }
});

t.test('another writer that does not let go is a coded error, and nothing is lost by it', async (t) => {
  const { file, ledger } = setUp(t);
  const other = new DatabaseSync(file);
  t.teardown(() => other.close());
  other.exec('BEGIN IMMEDIATE');
  t.throws(() => ledger.store(batchOf([eventOf({})])), { code: 'EDW_ERR_LEDGER_BUSY' });
  other.exec('ROLLBACK');
  t.equal(ledger.store(batchOf([eventOf({})])).length, 1);
});
