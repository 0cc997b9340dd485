import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createMetrics } from '@edgeward/runtime';
import * as fc from 'fast-check';
import t, { type Test } from 'tap';
import { type Collector, denyEventSchema, type HostRecord } from '../src/index.ts';
import { openLedgerHere } from '../src/ledger/sqlite/sqlite-ledger.ts';
import { epochs, hostDenial, hostGap } from './host-records.ts';
import { collectorFor, labels, search, type TestOptions, t0 } from './kit.ts';
import { eventsBefore } from './ledger/fixtures.ts';

const [epoch, another] = epochs;

async function setUp(
  t: Test,
  options: Partial<TestOptions> = {},
): Promise<{ collector: Collector; ledgerFile: string }> {
  const ledgerFile = join(t.testdir({}), 'ledger.db');
  const collector = await collectorFor({ ledgerFile, logs: [], now: () => t0, ...options });
  t.teardown(() => collector.close());
  return { collector, ledgerFile };
}

t.test('a record becomes an event with its count, its window, and the names that the service has', async (t) => {
  const { collector } = await setUp(t);
  const seen: number[] = [];
  collector.onDenial(({ id }) => seen.push(id));
  t.strictSame(await collector.takeHostRecords('host-1', epoch, [hostDenial(1)]), { acknowledged: 1 });
  const [denial] = await collector.denials({});
  t.strictSame(denial?.event, {
    v: 1,
    ref: null,
    time: '2026-11-22T10:00:19.000Z',
    windowStart: '2026-11-22T10:00:10.000Z',
    windowEnd: '2026-11-22T10:00:19.000Z',
    count: 3,
    point: 'host-1',
    object: 'db-1',
    objectLabels: {},
    source: '10.30.1.4',
    sourcePort: null,
    sourceWorkloads: ['crm-1'],
    sourceNetworks: ['office'],
    sourceLabels: { app: 'crm' },
    labelsRevision: 12,
    peer: null,
    port: 'tcp/5432',
    method: null,
    path: null,
    truncated: false,
    host: null,
    verdict: 'deny',
    reason: 'unknown-source',
    rule: null,
    revision: 12,
    nearestRule: 'crm-orders',
    missed: 'source',
  });
  t.strictSame(denyEventSchema.parse(denial?.event), denial?.event, 'by the schema as well');
  t.strictSame([seen, await collector.byId(denial?.id ?? 0)], [[denial?.id], denial]);
});

t.test('what a host says is taken as it can be meant, and names no other point', async (t) => {
  const said = { nearestRule: 'from-the-host', missed: 'port' };
  const turned = { windowStart: '2026-11-22T10:00:09.000Z', windowEnd: '2026-11-22T10:00:01.000Z' };
  const cases: [string, HostRecord, object][] = [
    ['IPv6 as RFC 5952', hostDenial(1, { source: '2001:DB8:0::1' }), { source: '2001:db8::1' }],
    ['IPv4 in IPv6', hostDenial(2, { source: '::ffff:192.0.2.1' }), { source: '192.0.2.1' }],
    [
      'a clock that was set back',
      hostDenial(3, turned),
      { windowStart: turned.windowEnd, windowEnd: turned.windowStart, time: turned.windowStart },
    ],
    ['the nearest rule of the service', hostDenial(4, said), { nearestRule: 'crm-orders', missed: 'source' }],
    [
      'that of the host where the service knows none',
      hostDenial(5, { ...said, reason: 'port-not-allowed' }),
      { nearestRule: 'from-the-host', missed: 'port' },
    ],
    [
      'an object by what the point calls it',
      hostDenial(6, { object: 'order-front' }),
      { objectLabels: { app: 'shop' } },
    ],
    ['another point', Object.assign(hostDenial(7), { point: 'host-2', epoch: another }), { point: 'host-1' }],
  ];
  const { collector } = await setUp(t);
  for (const [name, record, event] of cases) {
    await collector.takeHostRecords('host-1', epoch, [record]);
    t.match((await collector.denials({})).at(-1)?.event, event, name);
  }
});

t.test('a record is stored once, whatever comes twice, late, from another life or by another process', async (t) => {
  type Step = [name: string, point: string, epoch: string, seqs: number[], stored: number, missing: number];
  const steps: Step[] = [
    ['in order', 'host-1', epoch, [1, 2, 3], 3, 0],
    ['sent again, with more', 'host-1', epoch, [2, 3, 4], 1, 0],
    ['a hole', 'host-1', epoch, [7], 1, 2],
    ['late ones', 'host-1', epoch, [5, 6], 2, 0],
    ['all of it again', 'host-1', epoch, [1, 2, 3, 4, 5, 6, 7], 0, 0],
    ['another life of the spool', 'host-1', another, [1, 2], 2, 0],
    ['another point', 'host-2', epoch, [1], 1, 0],
  ];
  const { ledgerFile } = await setUp(t);
  let all = 0;
  for (const [name, point, epoch, seqs, stored, missing] of steps) {
    const collector = await collectorFor({ ledgerFile, logs: [] });
    const answer = await collector.takeHostRecords(
      point,
      epoch,
      seqs.map((seq) => hostDenial(seq)),
    );
    all += stored;
    t.strictSame(answer, { acknowledged: seqs.at(-1) }, name);
    t.equal((await collector.denials({})).length, all, `${name}: ${stored} more`);
    t.equal(collector.spools().find((spool) => spool.point === point)?.missing, missing, name);
    await collector.close();
  }
});

t.test('whatever is sent in whatever order, each number counts once, and all of them add up', async (t) => {
  const gapEvery = 4;
  const recordOf = (seq: number): HostRecord =>
    seq % gapEvery === 0 ? hostGap(seq, { count: seq }) : hostDenial(seq, { count: seq, sourcePort: seq });
  const batch = fc
    .uniqueArray(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 12 })
    .map((seqs) => seqs.toSorted((a, b) => a - b));
  let run = 0;
  const folder = t.testdir({});
  const holds = fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 10 }), async (batches) => {
    run += 1;
    // Files of a day are beside their ledger, and a folder is one ledger's.
    const ledgerFile = join(folder, String(run), 'ledger.db');
    mkdirSync(dirname(ledgerFile));
    const ledger = await openLedgerHere({ file: ledgerFile, synchronous: 'NORMAL' });
    const collector = await collectorFor({ ledgerFile, logs: [], synchronous: 'NORMAL' });
    const sent = new Set<number>();
    for (const seqs of batches) {
      await collector.takeHostRecords('host-1', epoch, seqs.map(recordOf));
      for (const seq of seqs) sent.add(seq);
    }
    const numbers = (await collector.denials({})).map(({ event }) => event.sourcePort ?? 0);
    const [status] = collector.spools();
    const gaps = (await ledger.spoolGaps('host-1')).reduce((sum, { first, last }) => sum + last - first + 1, 0);
    await collector.close();
    await ledger.close();
    const sum = [...sent].reduce((all, seq) => all + seq, 0);
    const denied = [...sent].filter((seq) => seq % gapEvery !== 0);
    return (
      numbers.toSorted((a, b) => a - b).join() === denied.toSorted((a, b) => a - b).join() &&
      status?.observed === sum &&
      status.missing === Math.max(...sent) - sent.size &&
      status.missing === gaps
    );
  });
  const { seed, numRuns } = search(t, 60);
  await fc.assert(holds, { seed, numRuns });
  t.pass('always');
});

t.test('denials without a record are kept with their cause and count, and are in status and metrics', async (t) => {
  const registry = createMetrics({ processMetrics: false });
  const { collector } = await setUp(t, { registry });
  const records = [
    hostDenial(1),
    hostGap(2),
    hostGap(3, { count: 20 }),
    hostGap(4, { cause: 'netlink', count: 7 }),
    hostGap(6, { cause: 'spool-full', count: 1 }),
  ];
  for (const _ of ['once', 'and sent again']) await collector.takeHostRecords('host-1', epoch, records);
  await collector.takeHostRecords('host-2', epoch, [hostGap(1)]);
  const [first] = collector.spools();
  t.strictSame(first, {
    point: 'host-1',
    stored: 3,
    gaps: { netlink: 7, 'not-sampled': 120, 'spool-full': 1 },
    observed: 131,
    missing: 1,
    unparsed: {},
    losses: {},
    lastEventAt: '2026-11-22T10:00:19.000Z',
  });
  t.strictSame(
    await collector.uncovered({ point: 'host-1', sinceMs: Date.parse('2026-11-22T10:00:45.000Z') }),
    [
      {
        point: 'host-1',
        cause: 'netlink',
        count: 7,
        windowStart: '2026-11-22T10:00:40.000Z',
        windowEnd: '2026-11-22T10:00:50.000Z',
      },
      {
        point: 'host-1',
        cause: 'spool-full',
        count: 1,
        windowStart: '2026-11-22T10:01:00.000Z',
        windowEnd: '2026-11-22T10:01:10.000Z',
      },
    ],
    'of the windows since then',
  );
  t.equal((await collector.uncovered({})).length, 4);
  const text = await registry.metrics();
  for (const line of [
    'edgeward_gap_denials{point="host-1",cause="not-sampled"} 120',
    'edgeward_gap_denials{point="host-2",cause="not-sampled"} 100',
    'edgeward_events_missing_total{point="host-1"} 1',
    'edgeward_events_duplicates_total{point="host-1"} 5',
    'edgeward_events_stored_total{point="host-1"} 1',
  ])
    t.match(text, line);
  t.match(text, /edgeward_denials_total\{point="host-1".*\} 3\n/, 'by their counts');
  t.match(text, 'edgeward_gap_denials{point="host-1",cause="missing"} 1');
});

t.test('a batch that no ledger takes is acknowledged to nobody, and stored whole the next time', async (t) => {
  const failing = {
    ...labels,
    nearest: (): never => {
      throw new Error('not today');
    },
  };
  const { collector, ledgerFile } = await setUp(t, { labels: failing });
  const other = await openLedgerHere({ file: ledgerFile });
  t.teardown(() => other.close());
  // What no column takes: the second record fails in the middle of the transaction.
  const torn = Object.assign(hostDenial(2), { port: null }) as unknown as HostRecord;
  await t.rejects(collector.takeHostRecords('host-1', epoch, [hostDenial(1), torn]), { code: 'EDW_ERR_LEDGER_WRITE' });
  t.strictSame(
    [await other.denials({}), (await other.readSums()).spools, collector.spools()],
    [[], [], []],
    'nothing of it is there',
  );
  const whole = [hostDenial(1), hostDenial(2), hostGap(3)];
  t.strictSame(await collector.takeHostRecords('host-1', epoch, whole), { acknowledged: 3 });
  t.equal((await other.denials({})).length, 2, 'also where nobody knows a name');
  t.strictSame(await collector.takeHostRecords('host-1', epoch, []), { acknowledged: 0 }, 'nothing of nothing');
});

t.test("whatever a host claims, everybody's totals can be read, and its own are not made worthless", async (t) => {
  const { collector } = await setUp(t);
  const most = Number.MAX_SAFE_INTEGER;
  const claims = [1, 2, 3].flatMap((seq) => [
    hostDenial(2 * seq, { count: most }),
    hostGap(2 * seq + 1, { count: most }),
  ]);
  await collector.takeHostRecords('host-1', epoch, claims);
  await collector.takeHostRecords('host-1', another, [hostDenial(most)]);
  await collector.takeHostRecords('host-2', epoch, [hostDenial(1)]);
  await collector.setEnforcedCounts('host-1', [{ object: 'db-1', reason: 'unknown-source', count: most }], 'a');
  await collector.setEnforcedCounts('host-1', [{ object: 'db-1', reason: 'unknown-source', count: most }], 'b');
  t.match(collector.spools(), [
    { point: 'host-1', stored: 3, gaps: {}, missing: most, unparsed: { 'no-record': 6 } },
    { point: 'host-2', stored: 3, missing: 0 },
  ]);
  t.strictSame(await collector.uncovered({}), []);
  t.equal(collector.status().length, 0);
});

t.test('retention deletes gaps with the events of their time, and sums stay', async (t) => {
  const { collector, ledgerFile } = await setUp(t);
  await collector.takeHostRecords('host-1', epoch, [hostDenial(1), hostGap(2), hostDenial(5)]);
  const ledger = await openLedgerHere({ file: ledgerFile });
  t.teardown(() => ledger.close());
  for (let deleted = 2; deleted === 2; ) deleted = await ledger.prune(eventsBefore(t0 + 2 * 86_400_000), 2);
  t.strictSame([await ledger.denials({}), await ledger.uncovered({}), await ledger.spoolGaps('host-1')], [[], [], []]);
  t.match(collector.spools(), [{ stored: 6, gaps: { 'not-sampled': 100 }, missing: 2 }]);
  await collector.takeHostRecords('host-1', epoch, [hostDenial(1), hostGap(2), hostDenial(5)]);
  t.strictSame(await ledger.denials({}), [], 'and nothing comes back by being sent again');
});
