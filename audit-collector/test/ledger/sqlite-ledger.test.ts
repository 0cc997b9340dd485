import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t, { type Test } from 'tap';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { openLedgerHere } from '../../src/ledger/sqlite/sqlite-ledger.ts';
import { ledgerConformance } from '../ledger-conformance.ts';
import { batchOf, eventOf, numbered, refsIn, storeNumbers } from './fixtures.ts';

ledgerConformance(t, (t) => {
  const folder = mkdtemp(join(tmpdir(), 'edgeward-ledger-'));
  t.teardown(async () => rm(await folder, { recursive: true, force: true }));
  return {
    async open() {
      const ledger = await openLedgerHere({ file: join(await folder, 'ledger.db'), synchronous: 'NORMAL' });
      t.teardown(() => ledger.close());
      return ledger;
    },
  };
});

async function setUp(t: Test): Promise<{ file: string; ledger: Ledger }> {
  const file = join(t.testdir({}), 'ledger.db');
  const ledger = await openLedgerHere({ file });
  t.teardown(() => ledger.close());
  return { file, ledger };
}

t.test('nobody else reads it', async (t) => {
  const { file, ledger } = await setUp(t);
  await ledger.store(batchOf([eventOf({})]));
  const names = readdirSync(join(file, '..'));
  t.match(names, ['events-20261122.db', 'events-20261122.db-shm', 'events-20261122.db-wal', 'ledger.db']);
  for (const name of names) t.equal(statSync(join(file, '..', name)).mode & 0o777, 0o600, name);
});

t.test('a copy is another ledger, and gives its ids under another name; renamed, it is the same', async (t) => {
  const { file, ledger } = await setUp(t);
  await ledger.store(batchOf([eventOf({ ref: 'a' })]));
  await ledger.close();
  const opened = async (name: string): Promise<Ledger> => {
    const found = await openLedgerHere({ file: join(file, '..', name) });
    t.teardown(() => found.close());
    return found;
  };
  copyFileSync(file, join(file, '..', 'copy.db'));
  renameSync(file, join(file, '..', 'renamed.db'));
  const renamed = await opened('renamed.db');
  const copy = await opened('copy.db');
  t.equal(renamed.epoch, ledger.epoch);
  t.not(copy.epoch, ledger.epoch);
  t.strictSame(copy.lives(), [...ledger.lives(), { epoch: copy.epoch, afterId: 1 }], 'what it has keeps its name');
  t.equal((await opened('copy.db')).epoch, copy.epoch, 'for ever, from then on');
  t.strictSame([await refsIn(renamed), await refsIn(copy)], [['a'], ['a']]);
});

t.test('closed twice it is closed', async (t) => {
  const { ledger } = await setUp(t);
  await ledger.close();
  await ledger.close();
  await t.rejects(ledger.denials({}), { code: /^EDW_ERR_LEDGER_/ });
});

t.test('a file that cannot be used is a coded error, and stays as it was', async (t) => {
  const dir = t.testdir({ 'prose.db': 'this is no database, but somebody may need it\n'.repeat(50) });
  const newer = join(dir, 'newer.db');
  const future = new DatabaseSync(newer);
  future.exec('CREATE TABLE t (a); PRAGMA user_version = 99');
  future.close();
  const torn = join(dir, 'torn.db');
  await (await openLedgerHere({ file: torn })).close();
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
    await t.rejects(openLedgerHere({ file }), { code, mend: String }, name);
    if (before !== null) t.ok(readFileSync(file).equals(before), `${name} is untouched`);
  }
});

t.test('a read-only ledger is found out when it is opened', async (t) => {
  const file = join(t.testdir({}), 'ledger.db');
  await (await openLedgerHere({ file })).close();
  chmodSync(file, 0o444);
  chmodSync(join(file, '..'), 0o555);
  const { getuid, seteuid } = process;
  const asRoot = getuid?.() === 0;
  // Root may write everything: be nobody for a moment. The tap folders above must then be passable.
  if (asRoot) seteuid?.call(process, 65534);
  try {
    await t.rejects(openLedgerHere({ file }), { code: 'EDW_ERR_LEDGER_UNWRITABLE' });
  } finally {
    if (asRoot) seteuid?.call(process, 0);
    chmodSync(join(file, '..'), 0o755);
  }
});

t.test('another writer that does not let go is a coded error, and nothing is lost by it', async (t) => {
  const { file, ledger } = await setUp(t);
  const other = new DatabaseSync(file);
  t.teardown(() => other.close());
  other.exec('BEGIN IMMEDIATE');
  await t.rejects(ledger.store(batchOf([eventOf({})])), { code: 'EDW_ERR_LEDGER_BUSY' });
  other.exec('ROLLBACK');
  t.equal((await ledger.store(batchOf([eventOf({})]))).length, 1);
});

t.test('rows of sequences and gaps are bounded, whatever a sender makes up', async (t) => {
  const { file, ledger } = await setUp(t);
  const denials = Array.from({ length: 4_200 }, (_, i) => numbered({ epoch: `life-${i}`, seq: 3 }));
  await storeNumbers(ledger, denials);
  const db = new DatabaseSync(file);
  t.teardown(() => db.close());
  for (const table of ['sequences', 'gaps']) {
    t.equal(db.prepare(`SELECT count(*) AS count FROM ${table}`).get()?.count, 4_096, table);
  }
});
