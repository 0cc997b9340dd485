import { appendFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createMetrics } from '@edgeward/runtime';
import t from 'tap';
import { openLedgerHere } from '../src/ledger/sqlite/sqlite-ledger.ts';
import { collectorFor, denyLine, denyLines, labels, refs, t0, until } from './kit.ts';

t.test('a denial is in the ledger, found by its reference and told to a live view, once', async (t) => {
  const dir = t.testdir({ 'deny.log': denyLines(0, 2) });
  const ledgerFile = join(dir, 'ledger.db');
  const file = join(dir, 'deny.log');
  const seen: (string | null)[] = [];
  for (const round of [0, 1, 2]) {
    const collector = await collectorFor({ ledgerFile, logs: [{ point: 'edge-1', file }] });
    t.teardown(() => collector.close());
    const end = collector.onDenial(({ event }) => seen.push(event.ref));
    collector.onDenial(() => {
      throw new Error('a view that fails');
    });
    await collector.start();
    appendFileSync(file, denyLines(2 + round * 2, 4 + round * 2));
    await until('all is stored', () => collector.status()[0]?.stored === 4 + round * 2);
    end();
    t.strictSame(
      (await collector.denials({})).map(({ event }) => event.ref),
      refs(0, 4 + round * 2),
    );
    t.equal((await collector.byRef('ref-3'))?.event.object, 'order-front');
    t.match(collector.status()[0], {
      point: 'edge-1',
      unparsed: {},
      losses: {},
      lagBytes: 0,
      cursor: { state: 'reading' },
      lastEventAt: new Date(t0 + 3 + round * 2).toISOString(),
      error: null,
    });
    await collector.close();
    renameSync(file, `${file}.${3 - round}`);
    writeFileSync(file, '');
  }
  t.strictSame(seen, refs(0, 8));
});

t.test('what cannot be read is counted by cause, and a missing label source costs no denial', async (t) => {
  const bad = Buffer.concat([Buffer.from('{"v":1,'), Buffer.from([0xff, 0, 10]), Buffer.from('prose\n{"v":2}\n')]);
  const dir = t.testdir({ 'deny.log': Buffer.concat([bad, Buffer.from(denyLines(0, 1))]) });
  const fails = (): never => {
    throw new Error('no policy yet');
  };
  const registry = createMetrics({ processMetrics: false });
  const collector = await collectorFor({
    ledgerFile: join(dir, 'ledger.db'),
    logs: [{ point: 'edge-1', file: join(dir, 'deny.log') }],
    labels: { source: fails, object: fails, nearest: fails },
    registry,
  });
  t.teardown(() => collector.close());
  await collector.start();
  await until('the denial is stored', () => collector.status()[0]?.stored === 1);
  t.strictSame(collector.status()[0]?.unparsed, { torn: 1, 'not-json': 1, 'wrong-version': 1 });
  t.match((await collector.byRef('ref-0'))?.event, { object: 'order-front', objectLabels: {}, labelsRevision: null });
  t.match(await registry.metrics(), 'edgeward_events_unparsed_total{point="edge-1",cause="torn"} 1');
});

t.test("the ledger's counts stand beside the points' counters, over restarts of either", async (t) => {
  const dir = t.testdir({ 'a.log': denyLines(0, 3), 'b.log': denyLine({ reason: 'denied-by-rule', rule: 'no-bots' }) });
  const ledgerFile = join(dir, 'ledger.db');
  const logs = [
    { point: 'a', file: join(dir, 'a.log') },
    { point: 'b', file: join(dir, 'b.log') },
  ];
  const lines = async (registry: ReturnType<typeof createMetrics>, name: string): Promise<string[]> =>
    (await registry.metrics()).split('\n').filter((line) => line.startsWith(name));
  const counts = (count: number) => [{ object: 'order-front', reason: 'unknown-source', count }];
  const enforced = 'edgeward_enforced_denials_total{point="a",object="order-front",reason="unknown-source"}';

  const registry = createMetrics({ processMetrics: false });
  const collector = await collectorFor({ ledgerFile, logs, registry });
  t.teardown(() => collector.close());
  await collector.start();
  await until('all is stored', async () => (await collector.denials({})).length === 4);
  await collector.setEnforcedCounts('a', counts(3), 'life-1');
  t.strictSame(await lines(registry, 'edgeward_ledger_denials_total'), [
    'edgeward_ledger_denials_total{point="a",object="order-front",reason="unknown-source"} 3',
    'edgeward_ledger_denials_total{point="b",object="order-front",reason="denied-by-rule"} 1',
  ]);
  t.strictSame(await lines(registry, 'edgeward_enforced_denials_total'), [`${enforced} 3`]);
  t.strictSame((await lines(registry, 'edgeward_denials_total')).toSorted(), [
    'edgeward_denials_total{point="a",object="order-front",rule="",reason="unknown-source",verdict="deny"} 3',
    'edgeward_denials_total{point="b",object="order-front",rule="no-bots",reason="denied-by-rule",verdict="deny"} 1',
  ]);
  t.strictSame(await lines(registry, 'edgeward_deny_log_lag_bytes{'), [
    'edgeward_deny_log_lag_bytes{point="a"} 0',
    'edgeward_deny_log_lag_bytes{point="b"} 0',
  ]);
  t.equal((await lines(registry, 'edgeward_event_delay_seconds_count{')).length, 2);
  await collector.close();
  t.equal((await registry.metrics()).trim(), '', 'closed, it leaves nothing behind in the registry');

  const later = createMetrics({ processMetrics: false });
  const again = await collectorFor({ ledgerFile, logs, registry: later });
  t.teardown(() => again.close());
  await again.start();
  await again.setEnforcedCounts('a', counts(2), 'life-2');
  appendFileSync(join(dir, 'a.log'), denyLines(3, 5));
  await until('all is stored', async () => (await again.denials({})).length === 6);
  t.strictSame(await lines(later, 'edgeward_enforced_denials_total'), [`${enforced} 5`]);
  t.match((await lines(later, 'edgeward_ledger_denials_total'))[0], / 5$/);
});

t.test('names of rules past two thousand are counted as other', async (t) => {
  const line = (i: number): string => denyLine({ reason: 'denied-by-rule', rule: `rule-${i}`, ref: `ref-${i}` });
  const dir = t.testdir({ 'deny.log': Array.from({ length: 2_010 }, (_, i) => line(i)).join('') });
  const registry = createMetrics({ processMetrics: false });
  const logs = [{ point: 'edge-1', file: join(dir, 'deny.log') }];
  const collector = await collectorFor({ ledgerFile: join(dir, 'ledger.db'), logs, registry });
  t.teardown(() => collector.close());
  await collector.start();
  await until('all is stored', () => collector.status()[0]?.stored === 2_010);
  const lines = (await registry.metrics()).split('\n').filter((entry) => entry.startsWith('edgeward_denials_total{'));
  t.equal(lines.length, 2_001);
  t.match(lines.at(-1), /rule="other".* 10$/);
});

t.test('two collectors on one log and one ledger store nothing twice', async (t) => {
  const dir = t.testdir({ 'deny.log': '' });
  const options = { ledgerFile: join(dir, 'ledger.db'), logs: [{ point: 'edge-1', file: join(dir, 'deny.log') }] };
  const pair = [await collectorFor(options), await collectorFor(options)] as const;
  for (const collector of pair) {
    t.teardown(() => collector.close());
    await collector.start();
  }
  for (let i = 0; i < 20; i += 1) {
    appendFileSync(join(dir, 'deny.log'), denyLines(i * 10, i * 10 + 10));
    await until('some is stored', async () => (await pair[0].denials({})).length > i * 5);
  }
  await until('all is stored', async () => (await pair[0].denials({})).length === 200);
  t.strictSame(
    (await pair[1].denials({})).map(({ event }) => event.ref),
    refs(0, 200),
  );
});

t.test('a log that cannot be read shows in the status, and is read once it can be', async (t) => {
  const dir = t.testdir({ 'deny.log': { 'a-folder': '' } });
  const file = join(dir, 'deny.log');
  const collector = await collectorFor({ ledgerFile: join(dir, 'ledger.db'), logs: [{ point: 'edge-1', file }] });
  t.teardown(() => collector.close());
  await collector.start();
  await until('the error shows', () => collector.status()[0]?.error?.code === 'EDW_ERR_DENY_LOG_UNREADABLE');
  renameSync(file, join(dir, 'aside'));
  writeFileSync(file, denyLines(0, 1));
  await until('it is read', () => collector.status()[0]?.stored === 1);
  t.equal(collector.status()[0]?.error, null);
});

t.test('a log whose folder is away is said, and what is in it then is read', async (t) => {
  const dir = t.testdir({});
  const file = join(dir, 'away', 'deny.log');
  const collector = await collectorFor({ ledgerFile: join(dir, 'ledger.db'), logs: [{ point: 'edge-1', file }] });
  t.teardown(() => collector.close());
  await collector.start();
  await until('it is said', () => collector.status()[0]?.error?.code === 'EDW_ERR_DENY_LOG_UNREADABLE');
  mkdirSync(join(dir, 'away'));
  await until('an empty folder is no trouble', () => collector.status()[0]?.error === null);
  writeFileSync(file, denyLines(0, 1));
  await until('it is read', () => collector.status()[0]?.stored === 1);
});

t.test('counts that nobody can have seen are not believed, and can be looked at', async (t) => {
  const dir = t.testdir({});
  const file = join(dir, 'deny.log');
  const flood = (count: number) => denyLine({ count, firstMs: t0 });
  writeFileSync(file, flood(500_000_000_000) + flood(500_000_000_001) + flood(500_000_000_000) + denyLine({}));
  const ledgerFile = join(dir, 'ledger.db');
  const now = (): number => t0;
  const collector = await collectorFor({ ledgerFile, logs: [{ point: 'edge-1', file }], now });
  t.teardown(() => collector.close());
  await collector.start();
  await until('all is read', () => collector.status()[0]?.lagBytes === 0 && (collector.status()[0]?.stored ?? 0) > 0);
  const gap = (seq: number, count: number) =>
    ({ seq, kind: 'gap', cause: 'spool-full', count, windowStart: iso, windowEnd: iso }) as const;
  const iso = new Date(t0).toISOString();
  await collector.takeBatch('edge-2', '5'.repeat(32), [gap(1, 7), gap(2, Number.MAX_SAFE_INTEGER), gap(3, 1)]);
  await collector.takeHostRecords('host-1', '6'.repeat(32), [gap(1, Number.MAX_SAFE_INTEGER)]);
  t.match(collector.status(), [{ stored: 1_000_000_000_001, unparsed: { 'wrong-shape': 1 } }]);
  t.match(collector.spools(), [
    { point: 'edge-2', gaps: { 'spool-full': 8 }, missing: 0, unparsed: { 'no-record': 1 } },
    { point: 'host-1', gaps: {}, missing: 0, unparsed: { 'no-record': 1 } },
  ]);
  await collector.close();
  const ledger = await openLedgerHere({ file: ledgerFile });
  t.teardown(() => ledger.close());
  t.equal((await ledger.quarantined()).length, 3);
});

t.test('what is older than its days is deleted at the start, and totals stay', async (t) => {
  const dir = t.testdir({ 'deny.log': denyLines(0, 3) });
  const options = { ledgerFile: join(dir, 'ledger.db'), logs: [{ point: 'edge-1', file: join(dir, 'deny.log') }] };
  const first = await collectorFor({ ...options, now: () => t0 });
  t.teardown(() => first.close());
  await first.start();
  await until('all is stored', async () => (await first.denials({})).length === 3);
  await first.close();
  const second = await collectorFor({ ...options, now: () => t0 + 8 * 86_400_000, retainDays: 7 });
  t.teardown(() => second.close());
  await second.start();
  await until('all is deleted', async () => (await second.denials({})).length === 0);
  t.equal(second.status()[0]?.stored, 3);
  await second.close();
  const ledger = await openLedgerHere({ file: options.ledgerFile });
  t.teardown(() => ledger.close());
  t.equal((await ledger.readSums()).totals[0]?.count, 3);
});

t.test('labels are asked with the revision that judged', async (t) => {
  const asked: [string, number][] = [];
  const dir = t.testdir({ 'deny.log': denyLine({ revision: 41 }) });
  const collector = await collectorFor({
    ledgerFile: join(dir, 'ledger.db'),
    logs: [{ point: 'edge-1', file: join(dir, 'deny.log') }],
    labels: {
      ...labels,
      source(point, address, revision) {
        asked.push([address, revision]);
        return labels.source(point, address, revision);
      },
    },
  });
  t.teardown(() => collector.close());
  await collector.start();
  await until('it is stored', () => collector.status()[0]?.stored === 1);
  t.strictSame(asked, [['10.9.9.9', 41]]);
});
