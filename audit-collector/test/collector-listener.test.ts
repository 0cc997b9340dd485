import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createMetrics } from '@edgeward/runtime';
import * as fc from 'fast-check';
import t, { type Test } from 'tap';
import type { Collector, ListenerStatus, SyslogListener } from '../src/index.ts';
import { openLedgerHere } from '../src/ledger/sqlite/sqlite-ledger.ts';
import { collectorFor, denyMessage, denyStream, refs, search, type TestOptions, until } from './kit.ts';
import { senderTo } from './sender.ts';

const local = (overrides: Partial<SyslogListener> = {}): SyslogListener => ({
  point: 'big-1',
  listen: { host: '127.0.0.1', port: 0 },
  from: ['127.0.0.1'],
  ...overrides,
});

interface Running {
  collector: Collector;
  port: number;
  ledgerFile: string;
  status(): ListenerStatus;
}

async function running(t: Test, listener: SyslogListener, options: Partial<TestOptions> = {}): Promise<Running> {
  const ledgerFile = options.ledgerFile ?? join(t.testdir({}), 'ledger.db');
  const collector = await collectorFor({ logs: [], listeners: [listener], ...options, ledgerFile });
  t.teardown(() => collector.close());
  await collector.start();
  const status = (): ListenerStatus => {
    const [first] = collector.listeners();
    if (first === undefined) throw new Error('no listener');
    return first;
  };
  return { collector, port: status().listen.port ?? 0, ledgerFile, status };
}

const storedRefs = async (collector: Collector): Promise<string[]> =>
  (await collector.denials({ limit: 10_000 })).map(({ event }) => event.ref ?? '').toSorted();

t.test('a denial that a point sends is in the ledger, found by its reference and told to a live view', async (t) => {
  const { collector, port, status } = await running(t, local());
  const seen: (string | null)[] = [];
  collector.onDenial(({ event }) => seen.push(event.ref));
  const sender = await senderTo(t, port);
  const message = denyMessage({ seq: 2 });
  sender.write(`${denyMessage({ seq: 1 })}\n${message.length} ${message}`);
  await until('both are stored', () => status().stored === 2);
  t.strictSame(seen, refs(1, 3));
  t.match((await collector.byRef('ref-1'))?.event, { point: 'big-1', object: '/Common/vs_orders', source: '10.9.9.9' });
  t.match(status(), {
    point: 'big-1',
    connections: 1,
    observed: 2,
    missing: 0,
    suppressed: 0,
    unparsed: {},
    waiting: 0,
    error: null,
  });
  t.equal(status().lastEventAt, (await collector.byRef('ref-2'))?.event.time);
});

t.test('the point is told by the connection, whoever the text says it is', async (t) => {
  const ledgerFile = join(t.testdir({}), 'ledger.db');
  const listeners = [local(), local({ point: 'big-2', from: ['127.0.0.0/30'] })];
  const collector = await collectorFor({ ledgerFile, logs: [], listeners });
  t.teardown(() => collector.close());
  await collector.start();
  for (const [i, { point, listen }] of collector.listeners().entries()) {
    const sender = await senderTo(t, listen.port ?? 0);
    sender.write(`${denyMessage({ seq: 1 }, { ref: point }).replace('bigip-a.example', `big-${2 - i}`)}\n`);
  }
  await until('both are stored', async () => (await collector.denials({})).length === 2);
  t.strictSame((await collector.denials({})).map(({ event }) => [event.ref, event.point]).toSorted(), [
    ['big-1', 'big-1'],
    ['big-2', 'big-2'],
  ]);
});

t.test('stored, missing and suppressed add up to what the point observed, over restarts and connections', async (t) => {
  const registry = createMetrics({ processMetrics: false });
  const first = await running(t, local(), { registry });
  const [a, b] = [await senderTo(t, first.port), await senderTo(t, first.port)];
  a.write(denyStream(1, 4));
  await until('three are stored', () => first.status().stored === 3);
  b.write(denyStream(7, 9, { suppressed: 40 }));
  b.write(denyStream(1, 3, { tmm: 1, suppressed: 2 }));
  await until('the hole shows', () => first.status().missing === 3);
  a.write(denyStream(5, 6));
  await until('one came late', () => first.status().missing === 2);
  t.match(first.status(), { stored: 8, missing: 2, suppressed: 42, observed: 52 });
  const scraped = (await registry.metrics()).split('\n');
  for (const line of [
    'edgeward_events_missing_total{point="big-1"} 3',
    'edgeward_events_late_total{point="big-1"} 1',
    'edgeward_observed_denials_total{point="big-1"} 52',
    'edgeward_gap_denials{point="big-1",cause="missing"} 2',
    'edgeward_gap_denials{point="big-1",cause="suppressed"} 42',
    'edgeward_pending_denials{point="big-1"} 0',
    'edgeward_events_stored_total{point="big-1"} 8',
    'edgeward_syslog_connections{point="big-1"} 2',
    'edgeward_syslog_waiting_messages{point="big-1"} 0',
  ]) {
    t.ok(scraped.includes(line), line);
  }
  await first.collector.close();
  t.equal((await registry.metrics()).trim(), '', 'closed, it leaves nothing behind in the registry');

  const again = await running(t, local(), { ledgerFile: first.ledgerFile, registry });
  const sender = await senderTo(t, again.port);
  sender.write(denyStream(1, 10, { suppressed: 40 }) + denyStream(1, 2, { epoch: 'after', suppressed: 1 }));
  await until('all is stored', () => again.status().stored === 12);
  t.match(again.status(), { stored: 12, missing: 0, suppressed: 43, observed: 55 });
  t.match(await registry.metrics(), 'edgeward_events_duplicates_total{point="big-1"} 6');
  const ledger = await openLedgerHere({ file: first.ledgerFile });
  t.teardown(() => ledger.close());
  t.strictSame(await ledger.gaps('big-1'), []);
  t.equal((await ledger.denials({})).length, 12);
});

t.test('what is no denial of ours is counted by its cause, and stops nothing', async (t) => {
  const registry = createMetrics({ processMetrics: false });
  const { collector, port, status } = await running(t, local(), { registry });
  const good = denyMessage({ seq: 2 });
  const stream = [
    'GET / HTTP/1.1\n',
    '<134>1 - h app - - - something else\n',
    `${good.replace('seq="2"', 'seq="1000000000000000"')}\n`,
    `${denyMessage({ seq: 1 }).replace('"v":1', '"v":9')}\n`,
    `${'x'.repeat(70_000)}\n`,
    `70000 ${'y\n'.repeat(35_000)}`,
    `${good}\n`,
  ];
  const sender = await senderTo(t, port);
  sender.write(stream.join(''));
  sender.write(denyMessage({ seq: 3 }).slice(0, -20));
  await until('one is stored', () => status().stored === 1);
  sender.socket.end();
  await until('the torn one is counted', () => status().unparsed.torn === 1);
  t.strictSame(status().unparsed, {
    'not-syslog': 1,
    foreign: 1,
    'bad-sequence': 1,
    'wrong-version': 1,
    'too-long': 2,
    torn: 1,
  });
  t.match(status(), { stored: 1, missing: 2, observed: 3 }, 'those whose number could be read are missing');
  t.match(await registry.metrics(), 'edgeward_events_unparsed_total{point="big-1",cause="too-long"} 2');
  t.strictSame(await storedRefs(collector), ['ref-2']);
});

t.test('noise on other connections changes nothing', async (t) => {
  const { collector, port, status } = await running(t, local());
  const { seed } = search(t, 1);
  const noise = await Promise.all(Array.from({ length: 5 }, () => senderTo(t, port)));
  const good = await senderTo(t, port);
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 5_000 }),
    fc.string({ unit: fc.constantFrom('<134>1 ', '- ', '[a k="', '"]', '12 ', '99999 ', '\n', '\\'), maxLength: 500 }),
  );
  for (const [i, chunk] of fc.sample(bytes, { seed, numRuns: 200 }).entries()) {
    noise[i % noise.length]?.write(chunk);
    good.write(denyStream(1 + i, 2 + i));
  }
  await until('every denial is stored', () => status().stored === 200);
  for (const { socket } of noise) socket.end();
  await until('the noise is over', () => status().connections === 1);
  t.match(status(), { stored: 200, missing: 0, suppressed: 0, error: null });
  t.strictSame(await storedRefs(collector), refs(1, 201).toSorted());
});

t.test('a peer that may not connect is closed before it is heard, and counted', async (t) => {
  const registry = createMetrics({ processMetrics: false });
  const { collector, port, status } = await running(t, local({ from: ['127.0.0.8/29', '::1'] }), { registry });
  const stranger = await senderTo(t, port, '127.0.0.1');
  stranger.write(denyStream(1, 2, { epoch: 'stranger' }));
  await stranger.closed;
  const known = await senderTo(t, port, '127.0.0.9');
  known.write(denyStream(1, 2));
  await until('one is stored', () => status().stored === 1);
  t.match(status(), { refused: { peer: 1 }, connections: 1, observed: 1 });
  t.match(await registry.metrics(), 'edgeward_syslog_refused_total{point="big-1",cause="peer"} 1');
  t.equal((await collector.denials({})).length, 1);
});

t.test('connections past their number are closed and counted', async (t) => {
  const registry = createMetrics({ processMetrics: false });
  const { port, status } = await running(t, local({ maxConnections: 2 }), { registry });
  const [first, second] = [await senderTo(t, port), await senderTo(t, port)];
  await until('both are taken', () => status().connections === 2);
  await (await senderTo(t, port)).closed;
  t.match(status(), { refused: { limit: 1 }, connections: 2 });
  t.match(await registry.metrics(), 'edgeward_syslog_refused_total{point="big-1",cause="limit"} 1');
  first.socket.end();
  await until('there is room again', () => status().connections === 1);
  const next = await senderTo(t, port);
  next.write(denyStream(1, 2));
  second.write(denyStream(2, 3));
  await until('both are heard', () => status().stored === 2);
});

t.test('a connection that is silent, or slow to end a message, is closed and counted', async (t) => {
  const registry = createMetrics({ processMetrics: false });
  const table: [cause: 'idle' | 'slow', limits: Partial<SyslogListener>, text: string][] = [
    ['idle', { idleTimeoutMs: 100 }, denyStream(1, 2)],
    ['slow', { messageTimeoutMs: 100 }, denyStream(1, 2) + denyMessage({ seq: 2 }).slice(0, 50)],
    ['slow', { messageTimeoutMs: 100 }, `${denyStream(1, 2)}9000000 `],
  ];
  for (const [i, [cause, limits, text]] of table.entries()) {
    const point = `big-${i}`;
    const ledgerFile = join(t.testdir({}), `${point}.db`);
    const { port, status, collector } = await running(t, local({ ...limits, point }), { registry, ledgerFile });
    const sender = await senderTo(t, port);
    sender.write(text);
    await sender.closed;
    await until('what was whole is stored', () => status().stored === 1);
    t.strictSame(status().closed, { [cause]: 1 });
    t.match(await registry.metrics(), `edgeward_syslog_closed_total{point="${point}",cause="${cause}"} 1`);
    await collector.close();
  }
});

t.test('what cannot be listened on is refused before the ledger is touched', async (t) => {
  const tls = { certFile: 'c', keyFile: 'k', clientCaFile: 'a' };
  const at = (host: string, port = 0): SyslogListener => local({ listen: { host, port } });
  const table: [name: string, listeners: SyslogListener[], code: string][] = [
    ['every address in clear', [at('0.0.0.0')], 'EDW_ERR_SYSLOG_CLEAR_TEXT'],
    ['every IPv6 address in clear', [at('::')], 'EDW_ERR_SYSLOG_CLEAR_TEXT'],
    ['a private address in clear', [at('192.0.2.1')], 'EDW_ERR_SYSLOG_CLEAR_TEXT'],
    ['a mapped one in clear', [at('::ffff:192.0.2.1')], 'EDW_ERR_SYSLOG_CLEAR_TEXT'],
    ['a name in clear', [at('collector.example')], 'EDW_ERR_SYSLOG_CLEAR_TEXT'],
    ['nothing in clear', [at('')], 'EDW_ERR_SYSLOG_CLEAR_TEXT'],
    ['nobody may send', [local({ from: [] })], 'EDW_ERR_SYSLOG_LISTENER'],
    ['a name may send', [local({ from: ['bigip.example'] })], 'EDW_ERR_SYSLOG_LISTENER'],
    ['host bits', [local({ from: ['192.0.2.1/24'] })], 'EDW_ERR_SYSLOG_LISTENER'],
    ['no port', [at('127.0.0.1', 70_000)], 'EDW_ERR_SYSLOG_LISTENER'],
    ['half a port', [at('127.0.0.1', 0.5)], 'EDW_ERR_SYSLOG_LISTENER'],
    ['a point twice', [local(), local({ tls })], 'EDW_ERR_SYSLOG_LISTENER'],
  ];
  const ledgerFile = join(t.testdir({}), 'no', 'ledger.db');
  for (const [name, listeners, code] of table) {
    await t.rejects(collectorFor({ ledgerFile, logs: [], listeners }), { code, mend: String }, name);
  }
  for (const listener of [at('localhost'), at('127.9.9.9'), at('::1'), { ...at('0.0.0.0'), tls }]) {
    const open = collectorFor({ ledgerFile, logs: [], listeners: [listener] });
    await t.rejects(open, { code: 'EDW_ERR_LEDGER_UNWRITABLE' }, `${listener.listen.host} passes`);
  }
});

t.test('a port that is taken shows in the status, and is listened on once it is free', async (t) => {
  const first = await running(t, local());
  const second = await running(t, local({ listen: { host: '127.0.0.1', port: first.port } }), {
    ledgerFile: join(t.testdir({}), 'second.db'),
  });
  t.match(second.status(), { listen: { port: null }, error: { code: 'EDW_ERR_PORT_IN_USE', mend: String } });
  await first.collector.close();
  await until('it listens', () => second.status().listen.port === first.port);
  t.equal(second.status().error, null);
});

t.test('while the ledger cannot be written messages wait, and none is lost', async (t) => {
  const { collector, port, status, ledgerFile } = await running(t, local());
  const other = new DatabaseSync(ledgerFile);
  t.teardown(() => other.close());
  other.exec('BEGIN IMMEDIATE');
  const sender = await senderTo(t, port);
  sender.write(denyStream(1, 301));
  await until('the status says why', () => status().error?.code === 'EDW_ERR_LEDGER_BUSY');
  t.match(status(), { stored: 0 });
  t.ok(status().waiting > 0);
  other.exec('ROLLBACK');
  await until('all is stored', () => status().stored === 300);
  t.match(status(), { missing: 0, waiting: 0, error: null });
  t.strictSame(await storedRefs(collector), refs(1, 301).toSorted());
});

t.test('closed with a ledger that cannot be written, it ends, and counts what it drops', async (t) => {
  const registry = createMetrics({ processMetrics: false });
  const { collector, port, status, ledgerFile } = await running(t, local(), { registry });
  const other = new DatabaseSync(ledgerFile);
  t.teardown(() => other.close());
  other.exec('BEGIN IMMEDIATE');
  const counter = registry.getSingleMetric('edgeward_syslog_dropped_total');
  const sender = await senderTo(t, port);
  sender.write(denyStream(1, 11));
  await until('they wait', () => status().waiting === 10);
  await collector.close();
  await sender.closed;
  t.match((await counter?.get())?.values, [{ labels: { point: 'big-1' }, value: 10 }]);
});
