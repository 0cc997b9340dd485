/** The way of a host's denials from its request into the ledger: real listener, real ledger, real certificates. */
import type { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { Agent, type RequestOptions, request } from 'node:https';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type Collector, createCollector } from '@edgeward/audit-collector';
import { formatDenialBatch, type HostRecord, MAX_BATCH_BYTES } from '@edgeward/host-agent/protocol';
import { type Clock, createLogger, createMetrics, EdgewardError } from '@edgeward/runtime';
import { type CertificateFiles, testCertificates } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { openDenySpool } from '../../../deny-spool/src/index.ts';
import { gapRecord, spoolGapRecord } from '../../../host-agent/src/denials/denial-record.ts';
import { startSender } from '../../../host-agent/src/denials/sender.ts';
import { createServiceClient, type ServiceClient } from '../../../host-agent/src/service-client.ts';
import { createManualClock, type ManualClock } from '../../../runtime/test/fixtures/manual-clock.ts';
import { denialsRoute } from '../../src/hosts/denials-route.ts';
import { pointOf } from '../../src/hosts/host-identity.ts';
import { openHostListener } from '../../src/hosts/listener.ts';

const epoch = '0123456789abcdef'.repeat(2);
const record = (seq: number): HostRecord => ({
  seq,
  kind: 'denial',
  windowStart: '2026-11-23T10:00:00.000Z',
  windowEnd: '2026-11-23T10:00:09.000Z',
  count: seq,
  object: 'db-1',
  source: '10.1.2.3',
  sourcePort: null,
  port: 'tcp/5432',
  verdict: 'deny',
  reason: 'unknown-source',
  rule: null,
  revision: 1,
  nearestRule: null,
  missed: null,
});
const batchOf = (...seqs: number[]): string => formatDenialBatch({ epoch, records: seqs.map(record) });

interface Answer {
  status: number;
  retryAfter: string | undefined;
  json: { epoch?: string; acknowledged?: number; error?: { code: string } };
}

interface Service {
  collector: Collector;
  policy: { isInForce: boolean };
  clock: ManualClock;
  /** Hosts that were told to come later, once each time. */
  deferred: string[];
  as(point: string, body: string | Buffer, headers?: Record<string, string>): Promise<Answer>;
  /** What the agent of this host sends with. */
  client(point: string): ServiceClient;
}

async function startHere(t: Test, recordsPerSecond = 1_000): Promise<Service> {
  const clock = createManualClock(Date.now());
  const deferred: string[] = [];
  const folder = t.testdir({});
  const certificates = await testCertificates(join(folder, 'certificates'));
  const server = await certificates.server();
  const logger = createLogger({ level: 'silent' });
  const labels = {
    source: () => ({ workloads: [], networks: [], labels: {}, revision: null }),
    object: () => null,
    nearest: () => ({ nearestRule: null, missed: null }),
  };
  const registry = createMetrics({ processMetrics: false });
  const collector = await createCollector({
    ledger: { kind: 'sqlite', file: join(folder, 'ledger.db') },
    logs: [],
    labels,
    logger,
    registry,
  });
  t.teardown(() => collector.close());
  const policy = { isInForce: true };
  const listener = await openHostListener({
    host: '127.0.0.1',
    port: 0,
    files: { ...server, clientCaFile: certificates.caFile },
    routes: [
      denialsRoute({
        ...{ collector, ready: () => policy.isInForce, recordsPerSecond, clock },
        onDeferred: (point) => deferred.push(point),
      }),
    ],
    identify,
    clock,
    logger,
  });
  t.teardown(() => listener.close());
  const own = new Map<string, CertificateFiles>();
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  t.teardown(() => agent.destroy());
  for (const name of ['host-1', 'host-2', 'host-3']) own.set(name, await certificates.point(name));
  const as: Service['as'] = (point, body, headers = {}) => {
    const { cert, key, ca } = own.get(point) ?? {};
    const target = { host: '127.0.0.1', port: listener.port, path: '/v1/host/denials', method: 'POST' };
    return ask({ ...target, cert, key, ca, agent, headers }, body);
  };
  const client: Service['client'] = (point) => {
    const { cert = '', key = '', ca = '' } = own.get(point) ?? {};
    const keys = { signingKeys: [], formerKeys: [] };
    const identity = { v: 1 as const, point, key, certificate: cert, authority: ca, ...keys, service: [listener.url] };
    const made = createServiceClient({ identity, service: [], ending: new AbortController().signal });
    t.teardown(made.close);
    return made;
  };
  return { collector, policy, clock, deferred, as, client };
}

/** Two hosts are configured. */
function identify(peer: X509Certificate): string {
  const point = pointOf(peer) ?? '';
  if (point === 'host-1' || point === 'host-2') return point;
  throw new EdgewardError('EDW_ERR_HOST_UNKNOWN', 'nobody of ours', { mend: 'None.' });
}

async function ask(options: RequestOptions, body: string | Buffer): Promise<Answer> {
  const asked = request(options);
  asked.end(body);
  const [response] = await once(asked, 'response');
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(Buffer.from(chunk));
  const json = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Answer['json'];
  return { status: response.statusCode, retryAfter: response.headers['retry-after'], json };
}

const gzip = { 'content-encoding': 'gzip' };

t.test('what is acknowledged is in the ledger, under the name that the certificate says', async (t) => {
  const { collector, as } = await startHere(t);
  const first = await as('host-1', gzipSync(batchOf(1, 2)), gzip);
  t.match(first, { status: 200, json: { epoch, acknowledged: 2 } });
  t.strictSame(Object.keys(first.json).sort(), ['acknowledged', 'epoch']);
  t.match(
    await as('host-1', batchOf(1, 2, 3)),
    { status: 200, json: { acknowledged: 3 } },
    'again, with more, unpacked',
  );
  const claims = { 'x-edgeward-point': 'host-1', forwarded: 'for=host-1' };
  t.match(await as('host-2', batchOf(1), claims), { status: 200 });
  const stored = (await collector.denials({})).map(({ event }) => `${event.point} ${event.count}`);
  t.strictSame(stored, ['host-1 1', 'host-1 2', 'host-1 3', 'host-2 1']);
  t.match(await as('host-3', batchOf(1)), { status: 403, json: { error: { code: 'EDW_ERR_HOST_UNKNOWN' } } });
});

t.test('what can not be read is refused whole, and says so', async (t) => {
  const { collector, as } = await startHere(t);
  const huge = gzipSync(Buffer.alloc(64 * MAX_BATCH_BYTES, 0x20));
  const cases: [string, string | Buffer, Record<string, string>, number, string][] = [
    ['no batch', 'hello', {}, 400, 'EDW_ERR_HOST_BATCH'],
    ['half of one', batchOf(1, 2).slice(0, -20), {}, 400, 'EDW_ERR_HOST_BATCH'],
    ['packed and not said so', gzipSync(batchOf(1)), {}, 400, 'EDW_ERR_HOST_BATCH'],
    ['said to be packed', batchOf(1), gzip, 400, 'EDW_ERR_HOST_BATCH'],
    ['packed in another way', batchOf(1), { 'content-encoding': 'br' }, 400, 'EDW_ERR_HOST_BATCH'],
    ['a torn package', gzipSync(batchOf(1)).subarray(0, -9), gzip, 400, 'EDW_ERR_HOST_BATCH'],
    ['a bomb', huge, gzip, 400, 'EDW_ERR_HOST_BATCH'],
    ['too much', 'x'.repeat(MAX_BATCH_BYTES + 1), {}, 413, 'EDW_ERR_HTTP_BODY_TOO_LARGE'],
  ];
  for (const [name, body, headers, status, code] of cases) {
    t.match(await as('host-1', body, headers), { status, json: { error: { code } } }, name);
  }
  t.strictSame(collector.spools(), [], 'nothing of it is stored');
});

t.test('what is not understood is counted as that, once, and what follows it is stored', async (t) => {
  const { collector, as } = await startHere(t);
  const later = { ...record(2), reason: 'a-reason-of-the-next-version' } as unknown as HostRecord;
  const body = formatDenialBatch({ epoch, records: [record(1), later, record(3)] });
  for (const _ of ['once', 'and sent again'])
    t.match(await as('host-1', gzipSync(body), gzip), { status: 200, json: { acknowledged: 3 } });
  t.match(collector.spools(), [{ point: 'host-1', stored: 4, gaps: { unreadable: 2 }, observed: 6, missing: 0 }]);
});

t.test('a host that has to wait is told for how long, and nothing of it is taken', async (t) => {
  const { collector, policy, as } = await startHere(t);
  policy.isInForce = false;
  const later = { json: { error: { code: 'EDW_ERR_HOST_LATER' } } };
  t.match(await as('host-1', batchOf(1)), { status: 503, retryAfter: '5', ...later }, 'no policy');
  policy.isInForce = true;
  t.match(await as('host-1', batchOf(1)), { status: 200 });
  const many = await Promise.all(Array.from({ length: 60 }, () => as('host-1', batchOf(1, 2))));
  const refused = many.filter(({ status }) => status === 429);
  t.ok(refused.length >= 1, `${refused.length} of 60 at once`);
  for (const answer of refused) t.match(answer, { retryAfter: /^\d+$/, ...later });
  t.match(await as('host-2', batchOf(1)), { status: 200 }, 'and nobody else has to');
  t.equal((await collector.denials({ point: 'host-1' })).length, 2);
});

t.test('a host that brings more than its share waits for the rest, and nobody else does', async (t) => {
  const { collector, clock, deferred, as } = await startHere(t, 50);
  let next = 1;
  const bring = (records: number, point = 'host-1', step = records): Promise<Answer> => {
    const body = gzipSync(batchOf(...Array.from({ length: records }, (_, at) => next + at)));
    next += step;
    return as(point, body, gzip);
  };
  t.match(await bring(600), { status: 200 }, 'what came together in twenty seconds');
  t.match(await bring(400), { status: 200 });
  const later = { status: 429, json: { error: { code: 'EDW_ERR_HOST_LATER' } } };
  t.match(await bring(200, 'host-1', 0), { ...later, retryAfter: '4' }, 'and not more of it at once');
  await clock.advance(3_900);
  t.match(await bring(10, 'host-1', 0), { ...later, retryAfter: '1' }, 'not earlier than it was told, however little');
  t.match(await as('host-1', 'hello'), later, 'without being read');
  t.match(await as('host-2', batchOf(1)), { status: 200 }, 'another host has its own share');
  await clock.advance(100);
  t.match(await bring(200), { status: 200 });
  t.match(await bring(60, 'host-1', 0), { ...later, retryAfter: '2' });
  t.strictSame(
    deferred,
    Array.from({ length: 4 }, () => 'host-1'),
    'each time is counted',
  );
  await clock.advance(3_600_000);
  t.match(await bring(1_000), { status: 200 }, 'an hour saves up no more than twenty seconds');
  t.match(await bring(1, 'host-1', 0), later);
  t.match(collector.spools(), [
    { point: 'host-1', stored: (2_200 * 2_201) / 2, missing: 0 },
    { point: 'host-2', stored: 1 },
  ]);
});

t.test('the sender of a host waits as long as it is told, and all of it arrives', async (t) => {
  const { collector, clock, client } = await startHere(t, 50);
  const spool = await openDenySpool({ folder: join(t.testdirName, 'spool'), gapRecord: spoolGapRecord });
  const window = { fromMs: 0, toMs: 1 };
  for (let batch = 0; batch < 3; batch += 1) {
    const gap = gapRecord({ cause: 'not-sampled', count: 1, ...window });
    await spool.append({ records: Array.from({ length: 500 }, () => gap), count: 500, ...window });
  }
  const pauses: number[] = [];
  let paused = (): void => {};
  const own: Clock = {
    now: clock.now,
    after(ms, run) {
      pauses.push(ms);
      setImmediate(() => paused());
      return clock.after(ms, run);
    },
  };
  const { denials } = client('host-1');
  let next = new Promise<void>((resolve) => {
    paused = resolve;
  });
  const sender = startSender({ spool, send: denials, clock: own, logger: createLogger({ level: 'silent' }) });
  t.teardown(async () => {
    await sender.close();
    await spool.close();
  });
  for (let batch = 0; batch < 4; batch += 1) {
    await next;
    next = new Promise((resolve) => {
      paused = resolve;
    });
    if (batch < 3) await clock.advance(pauses[batch] ?? 0);
  }
  t.strictSame(pauses, [300, 300, 10_000, 300], 'two batches, a refusal, and the third');
  t.strictSame([spool.status().pending, sender.warning()], [0, null], 'which is no trouble');
  t.match(collector.spools(), [{ point: 'host-1', observed: 1_500, missing: 0 }]);
});

t.test('while the ledger can not be written the host is asked to come back', async (t) => {
  const { collector, as } = await startHere(t);
  await collector.close();
  const answer = await as('host-1', batchOf(1));
  t.match(answer, { status: 503, retryAfter: '5', json: { error: { code: /^EDW_ERR_LEDGER_/ } } });
});
