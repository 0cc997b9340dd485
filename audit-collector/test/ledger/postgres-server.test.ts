/** What is true of the ledger in PostgreSQL alone: its server, its text, who may read it, and what a lost answer means. */
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import t, { type Test } from 'tap';
import { testCertificates } from '../../../test/kit/certificates.ts';
import { requirePostgres, startPostgres } from '../../../test/kit/postgres.ts';
import type { DenyEvent } from '../../src/deny-event.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import type { PostgresAccess } from '../../src/ledger/postgres/access.ts';
import { pageOf } from '../../src/ledger/postgres/event-search.ts';
import { openPostgresLedger } from '../../src/ledger/postgres/postgres-ledger.ts';
import type { Asking } from '../../src/ledger/postgres/session.ts';
import { checkSearch } from '../../src/ledger/search.ts';
import { t0 } from '../kit.ts';
import { batchOf, cursorAt, eventOf, eventsBefore, numbered, refsIn, storeNumbers } from './fixtures.ts';
import { postgresPlace } from './postgres-place.ts';

requirePostgres(t);
const dayMs = 86_400_000;
const place = await postgresPlace(t, { fsync: false });
const { server, access, make } = place;

const opened = async (t: Test, to: PostgresAccess): Promise<Ledger> => {
  const ledger = await openPostgresLedger(to);
  t.teardown(() => ledger.close());
  return ledger;
};

/** Somebody else's connection. */
async function connected(t: Test, database: string): Promise<pg.Client> {
  const { host, port, user, passwordFile } = access(database);
  const password = (await readFile(passwordFile, 'utf8')).trim();
  const options = '-c search_path=edgeward_ledger -c timezone=UTC';
  const types = { getTypeParser: (id: number) => (id === 20 ? Number : pg.types.getTypeParser(id)) };
  const client = new pg.Client({ host, port, user, password, database, options, types: types as never });
  await client.connect();
  t.teardown(() => client.end());
  return client;
}

async function askingOf(t: Test, database: string): Promise<Asking> {
  const client = await connected(t, database);
  return { rows: async (sql: string, values: readonly unknown[] = []) => (await client.query(sql, [...values])).rows };
}

/** Texts that PostgreSQL takes in no column, no JSON or no index. */
const hostile = {
  nul: 'a\0b\0',
  picture: '\u2400 \u241B \u241B\u2400 \0\u2400\u241B\0',
  escapes: '\\u0000 \\ud800 \\ {"a":"\\u0000"} $1 \'; DROP TABLE events; --',
  long: Array.from({ length: 1_500 }, (_, i) => String.fromCodePoint(0x4e00 + ((i * 7_919) % 20_000))).join(''),
};

t.test('any text is stored in any field, found by it and counted under it, and costs no batch', async (t) => {
  const ledger = await make(t).open();
  for (const [name, text] of Object.entries(hostile)) {
    const event: DenyEvent = {
      ...eventOf({ t: t0 }, text),
      ...{ ref: text, object: text, source: text, port: text, path: text, host: text, method: text, peer: text },
      ...{ rule: text, nearestRule: text, missed: text, sourceWorkloads: [text, ''], sourceNetworks: [text] },
      ...{ sourceLabels: { [text]: text, b: '' }, objectLabels: { a: text } },
    };
    const unparsed = [{ cause: 'not-json' as const, sample: text }];
    const cursors = [{ from: null, cursor: cursorAt(1) }];
    const batch = batchOf([event], { point: text, log: text, unparsed, cursors });
    const [stored] = await ledger.store(batch);
    t.strictSame((await ledger.byRef(text))?.event, event, `${name}: to the character`);
    const { denials } = await ledger.search({ object: text, labels: [{ end: 'object', key: 'a', value: text }] });
    t.strictSame(denials, [stored], `${name}: by object and label`);
    t.equal((await ledger.denials({ point: text, source: text })).length, 1, `${name}: by point and source`);
    t.equal((await ledger.quarantined()).at(-1)?.sample, text, `${name}: as a sample`);
    await t.rejects(ledger.store(batch), { code: 'EDW_ERR_LEDGER_CONTENDED' }, `${name}: its cursor moved`);
    t.equal((await ledger.edges({ object: text })).length, 1, `${name}: as an edge`);
    await ledger.observeEnforced(text, [{ object: text, reason: text, count: 1 }], text);
    const number = { ...numbered({ seq: 3, epoch: text }).number, epoch: text };
    await ledger.storeNumbered({ point: text, log: text, storedMs: t0, denials: [{ number, event }], unparsed: [] });
    t.match(await ledger.gaps(text), [{ first: 1, last: 2 }], `${name}: as a life`);
    t.strictSame(ledger.sums(), await ledger.readSums(), `${name}: in every sum`);
  }
});

t.test('half of a character is the replacement of one, as everywhere, and two that become one are one', async (t) => {
  const ledger = await make(t).open();
  const halves = ['\ud800', '\udfff', 'a\udc00b'];
  const events = halves.map((half) => ({
    ...eventOf({ path: half, object: half }, half),
    sourceLabels: { [half]: half },
    sourceWorkloads: [half],
  }));
  await ledger.store(batchOf(events));
  const read = (await ledger.denials({})).map(({ event }) => [event.point, event.sourceLabels, event.sourceWorkloads]);
  const whole = ['\uFFFD', '\uFFFD', 'a\uFFFDb'];
  t.strictSame(
    read,
    whole.map((text) => [text, { [text]: text }, [text]]),
  );
  t.match(ledger.sums().totals, [
    { object: 'a\uFFFDb', count: 1 },
    { object: '\uFFFD', count: 2 },
  ]);
});

t.test('a server that is killed costs what is asked meanwhile, and nothing else', async (t) => {
  const { open } = make(t);
  const ledger = await open();
  await storeNumbers(ledger, [numbered({ seq: 1 })]);
  await server.kill();
  const away = { code: 'EDW_ERR_LEDGER_UNREACHABLE', mend: String };
  await t.rejects(storeNumbers(ledger, [numbered({ seq: 2 })]), away);
  await t.rejects(ledger.denials({}), away);
  t.equal(ledger.sums().totals[0]?.count, 1, 'what is in memory is still told');
  await server.restart();
  t.match(await storeNumbers(ledger, [numbered({ seq: 1 }), numbered({ seq: 2 })]), {
    repeated: 1,
    stored: { length: 1 },
  });
  t.strictSame(await refsIn(ledger), ['0/e1/1', '0/e1/2']);
});

t.test('a server that is away at the start is waited for, and holds nobody up', async (t) => {
  const { database } = make(t);
  const to = access(await database);
  const before = await openPostgresLedger(to);
  await before.store(batchOf([eventOf({ ref: 'a' })]));
  await before.close();
  await server.kill();
  const ledger = await opened(t, to);
  t.strictSame([ledger.epoch, ledger.lives(), ledger.sums().totals], ['', [], []]);
  const away = { code: 'EDW_ERR_LEDGER_UNREACHABLE' };
  await t.rejects(ledger.denials({}), away);
  await t.rejects(ledger.store(batchOf([eventOf({ ref: 'b' })])), away);
  const neverOpened = await openPostgresLedger(to);
  await neverOpened.close();
  await t.rejects(neverOpened.opened(), 'closed before');
  await server.restart();
  // The event loop has nothing else to wait for: who waits in the background keeps no process.
  const alive = setInterval(() => {}, 1_000);
  t.teardown(() => clearInterval(alive));
  await ledger.opened();
  t.equal(ledger.epoch, before.epoch);
  t.strictSame(ledger.sums(), before.sums(), 'it has what it had');
  await ledger.store(batchOf([eventOf({ ref: 'b' })]));
  t.strictSame(await refsIn(ledger), ['a', 'b']);
});

t.test('a commit whose answer is lost is in the sums, and is not stored again', async (t) => {
  const { open, sql } = make(t);
  const ledger = await open();
  await storeNumbers(ledger, [numbered({ seq: 1 })]);
  // The server does it, and says that the connection broke: what a lost answer looks like from here.
  const query = pg.Client.prototype.query;
  t.teardown(() => {
    pg.Client.prototype.query = query;
  });
  pg.Client.prototype.query = async function (this: pg.Client, ...args: unknown[]) {
    const answer: unknown = await Reflect.apply(query, this, args);
    if (args[0] === 'COMMIT') throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
    return answer;
  } as never;
  const batch = [numbered({ seq: 2 })];
  await t.rejects(storeNumbers(ledger, batch), { code: 'EDW_ERR_LEDGER_UNREACHABLE' });
  pg.Client.prototype.query = query;
  t.equal((await sql('SELECT 1 FROM edgeward_ledger.events')).length, 2, 'it was committed');
  t.match(await storeNumbers(ledger, batch), { repeated: 1, stored: [] });
  t.strictSame([ledger.sums(), (await refsIn(ledger)).length], [await ledger.readSums(), 2]);
});

t.test('whoever holds the ledger holds up the others for a moment, which is told', async (t) => {
  const { open, database } = make(t);
  const ledger = await open();
  const other = await connected(t, await database);
  await other.query('BEGIN; SELECT 1 FROM edgeward_ledger.state FOR UPDATE');
  await t.rejects(ledger.store(batchOf([eventOf({})])), { code: 'EDW_ERR_LEDGER_BUSY', mend: String });
  t.strictSame(await refsIn(ledger), [], 'who reads waits for nobody');
  await other.query('ROLLBACK');
  t.equal((await ledger.store(batchOf([eventOf({})])))[0]?.id, 1);
});

t.test('what is no ledger of ours, or not for us, is refused with a code, and no error tells a secret', async (t) => {
  const good = access(await server.createDatabase());
  await (await openPostgresLedger(good)).close();
  const folder = t.testdir({ wrong: 'wrong\n', open: 'open\n' });
  await chmod(join(folder, 'wrong'), 0o600);
  await chmod(join(folder, 'open'), 0o644);
  await server.sql("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
  await server.sql(`CREATE ROLE nobody_here LOGIN PASSWORD 'wrong'`);
  const table: [name: string, access: Partial<PostgresAccess>, code: string][] = [
    ['a wrong password', { passwordFile: join(folder, 'wrong') }, 'EDW_ERR_LEDGER_REFUSED'],
    ['a password that everybody may read', { passwordFile: join(folder, 'open') }, 'EDW_ERR_SECRET_FILE'],
    ['no such database', { database: 'none' }, 'EDW_ERR_LEDGER_REFUSED'],
    ['another encoding', { database: 'latin' }, 'EDW_ERR_LEDGER_REFUSED'],
    ['no rights', { user: 'nobody_here', passwordFile: join(folder, 'wrong') }, 'EDW_ERR_LEDGER_REFUSED'],
    ['an authority that is missing', { caFile: join(folder, 'none') }, 'EDW_ERR_CA_FILE'],
  ];
  const secret = (await readFile(good.passwordFile, 'utf8')).trim();
  for (const [name, change, code] of table) {
    const refused = await openPostgresLedger({ ...good, ...change }).catch((thrown: unknown) => thrown);
    t.match(refused, { code, mend: String }, name);
    const told = JSON.stringify([refused, String(refused), (refused as Error).stack]);
    t.notOk(told.includes(secret) || told.includes('wrong\\n'), `${name}: no secret is told`);
  }
  await server.sql('UPDATE edgeward_ledger.state SET format = 99', [], good.database);
  await t.rejects(openPostgresLedger(good), { code: 'EDW_ERR_LEDGER_NEWER', mend: String });
});

t.test('TLS is checked: by its authority and its name', async (t) => {
  const [ours, others] = [await testCertificates(t.testdir()), await testCertificates(join(t.testdirName, 'others'))];
  const secured = await postgresPlace(t, { fsync: false, tls: await ours.server({ hosts: ['localhost'] }) });
  const good = { ...secured.access('edgeward'), host: 'localhost', caFile: ours.caFile };
  t.match(await opened(t, good), { epoch: String });
  const table: [name: string, access: PostgresAccess, code: string][] = [
    ['in clear', { ...good, caFile: undefined }, 'EDW_ERR_LEDGER_REFUSED'],
    ['another authority', { ...good, caFile: others.caFile }, 'EDW_ERR_LEDGER_UNREACHABLE'],
    ['another name', { ...good, host: '127.0.0.1' }, 'EDW_ERR_LEDGER_UNREACHABLE'],
    ['a server without TLS', { ...access('edgeward'), caFile: ours.caFile }, 'EDW_ERR_LEDGER_UNREACHABLE'],
  ];
  for (const [name, wrong, code] of table) {
    await t.rejects(
      opened(t, wrong).then((ledger) => ledger.denials({})),
      { code },
      name,
    );
  }
});

t.test('its owner needs to be nobody special, and a reader sees the views and nothing else', async (t) => {
  const page = await readFile(new URL('../../../docs/postgresql.md', import.meta.url), 'utf8');
  const ofPage = (block: RegExp): string => (block.exec(page)?.[1] ?? '').replace('…', 'secret');
  await server.sql('DROP DATABASE edgeward', [], 'postgres');
  for (const statement of ofPage(/<<'SQL'\n(.*?)\nSQL/s).split('\n')) await server.sql(statement, [], 'postgres');
  const passwordFile = join(t.testdir(), 'password');
  await writeFile(passwordFile, 'secret\n', { mode: 0o600 });
  const ledger = await opened(t, { ...access('edgeward'), user: 'edgeward', passwordFile });
  await ledger.store(batchOf([eventOf({ ref: 'a', path: '/a\0', rule: 'r', source: '10.30.1.4' })]));
  await server.sql(ofPage(/```sql reader\n(.*?)```/s));
  const reader = new pg.Client({ ...access('edgeward'), user: 'edgeward_reader', password: 'secret' });
  await reader.connect();
  t.teardown(() => reader.end());
  const { rows } = await reader.query(
    'SELECT ref, path, rule, source_labels, source_workloads FROM edgeward.denial_events',
  );
  t.strictSame(rows, [
    { ref: 'a', path: '/a␀', rule: 'r', source_labels: { app: 'crm' }, source_workloads: ['crm-1'] },
  ]);
  const top = await reader.query(ofPage(/```sql\n(.*?)```/s).replace('now()', `timestamptz '2026-11-22 12:00+00'`));
  t.strictSame(top.rows, [{ source: 'app=crm', object: 'order-front', reason: 'unknown-source', denied: '1' }]);
  for (const forbidden of [
    'SELECT 1 FROM edgeward_ledger.events',
    'DELETE FROM edgeward.denial_totals',
    'UPDATE edgeward.denial_totals SET count = 0',
    'CREATE TABLE edgeward.mine (a int)',
  ]) {
    await t.rejects(reader.query(forbidden), { code: '42501' }, forbidden);
  }
});

t.test('a copy of the database is another ledger, and the ledger goes on in it', async (t) => {
  const { open, database } = make(t);
  const ledger = await open();
  await ledger.store(batchOf([eventOf({ ref: 'a' })]));
  await ledger.close();
  const copy = await opened(t, access(await server.createDatabase(await database)));
  t.not(copy.epoch, ledger.epoch);
  t.strictSame(copy.lives(), [...ledger.lives(), { epoch: copy.epoch, afterId: 1 }], 'what it has keeps its name');
  await copy.store(batchOf([eventOf({ ref: 'b' })]));
  t.strictSame(await refsIn(copy), ['a', 'b']);
  t.equal((await open()).epoch, ledger.epoch, 'and the original is what it was');
});

t.test('a standby that took over begins another life at once, before its first checkpoint', async (t) => {
  const own = await startPostgres(t, { fsync: false, configuration: ['checkpoint_timeout = 1h'] });
  const { host, port, user, database, passwordFile } = own;
  const to = { host, port, user, database, passwordFile, clearText: false };
  const before = await openPostgresLedger(to);
  t.teardown(() => before.close());
  await before.store(batchOf(['1', '2', '3'].map((ref) => eventOf({ t: t0, ref }))));
  const { epoch } = before;
  const [folder] = await own.sql('SHOW data_directory');
  await own.sql(`COPY (SELECT '') TO '${folder?.data_directory}/standby.signal'`);
  await own.restart();
  await own.sql('SELECT pg_promote()');
  const store = () => before.store(batchOf([eventOf({ t: t0, ref: '4' })]));
  // The first finds that its connection is gone.
  await store().catch(store);
  t.not(before.epoch, epoch, 'whoever was connected');
  const after = await opened(t, to);
  t.equal(after.epoch, before.epoch, 'whoever comes');
  await own.sql('CHECKPOINT');
  t.equal((await opened(t, to)).epoch, after.epoch, 'and the checkpoint begins no other');
});

t.test('a day that ends takes its table, and the labels that nobody else has', async (t) => {
  const { open, sql } = make(t);
  const ledger = await open();
  const labelled = (app: string): DenyEvent => ({
    ...eventOf({ ref: app }),
    sourceLabels: { app },
    sourceWorkloads: [app],
  });
  for (const [day, apps] of [
    [-2, ['old', 'both']],
    [-1, ['both']],
    [0, ['new', 'both']],
  ] as const) {
    await ledger.store(batchOf(apps.map(labelled), { storedMs: t0 + day * dayMs }));
  }
  await ledger.prune(eventsBefore(t0 - dayMs), 100);
  const tables = await sql(
    `SELECT relid::text AS name FROM pg_partition_tree('edgeward_ledger.events') WHERE level = 1`,
  );
  t.strictSame(tables.map(({ name }) => name).sort(), [
    'edgeward_ledger.events_20261121',
    'edgeward_ledger.events_20261122',
  ]);
  const apps = await sql(
    `SELECT labels ->> 'app' AS app FROM edgeward_ledger.label_sets WHERE labels ? 'app' ORDER BY 1`,
  );
  t.strictSame(
    apps.map(({ app }) => app),
    ['both', 'new', 'shop'],
  );
  t.strictSame(
    (await ledger.denials({})).map(({ event }) => event.sourceWorkloads),
    [['both'], ['new'], ['both']],
  );
  await ledger.store(batchOf([labelled('old')]));
  t.strictSame(
    (await ledger.denials({ newest: true, limit: 1 }))[0]?.event.sourceLabels,
    { app: 'old' },
    'and comes again',
  );
});

t.test('a search that is cut short for time goes on where it stopped, and finds each once', async (t) => {
  const { open, sql, database } = make(t);
  const ledger = await open();
  // Ids far apart, so that few events are many stretches; one day of them is looked through in two parts of its own.
  for (const [i, day] of [0, 0, 1, 1, 2].entries()) {
    const rule = i === 2 ? 'other' : 'r';
    await ledger.store(batchOf([eventOf({ ref: `${i}`, rule })], { storedMs: t0 + day * dayMs }));
    await sql('UPDATE edgeward_ledger.state SET last_id = last_id + 25000');
  }
  const asking = await askingOf(t, await database);
  for (const [order, refs] of [
    ['newest', ['4', '3', '1', '0']],
    ['oldest', ['0', '1', '3', '4']],
  ] as const) {
    const found: (string | null)[] = [];
    let [cuts, cursor]: [number, string | undefined] = [0, undefined];
    for (let pages = 0; pages < 50; pages += 1) {
      const page = await pageOf(asking, { ...checkSearch({ rule: 'r', order, cursor }), timeMs: -1 });
      found.push(...page.denials.map(({ event }) => event.ref));
      if (page.isCutShort) cuts += 1;
      if (page.cursor === null) break;
      cursor = page.cursor;
    }
    t.strictSame(found, refs, order);
    t.ok(cuts > 3, `${order}: it stopped ${cuts} times`);
  }
});

t.test('whoever reads for long holds up no new day, and retention only for a moment', async (t) => {
  const { open, database } = make(t);
  const ledger = await open();
  await ledger.store(batchOf([eventOf({ ref: 'a' })], { storedMs: t0 - dayMs }));
  const reader = await connected(t, await database);
  await reader.query('BEGIN; SELECT count(*) FROM edgeward.denial_events');
  await ledger.store(batchOf([eventOf({ ref: 'b' })]));
  await t.rejects(ledger.prune(eventsBefore(t0), 100), { code: 'EDW_ERR_LEDGER_BUSY' });
  await ledger.store(batchOf([eventOf({ ref: 'c' })]));
  await reader.query('ROLLBACK');
  t.equal(await ledger.prune(eventsBefore(t0), 100), 1);
  t.strictSame(await refsIn(ledger), ['b', 'c']);
});
