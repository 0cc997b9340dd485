/** Batches on their way into the ledger: real TLS, real certificates, the real sender, a real ledger. */
import { once } from 'node:events';
import { request } from 'node:https';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { identityOf } from '@edgeward/certificates';
import {
  type BatchSender,
  type BatchSent,
  createBatchSender,
  type DenyBatch,
  denialText,
  formatDenyBatch,
  gapText,
  lossText,
  MAX_BATCH_BYTES,
  unparsedText,
} from '@edgeward/deny-log';
import { type Clock, createLogger, createMetrics, EdgewardError, type Logger, type Registry } from '@edgeward/runtime';
import { type CertificateFiles, testCertificates } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { createManualClock, type ManualClock } from '../../../runtime/test/fixtures/manual-clock.ts';
import { type BatchListener, openBatchListener } from '../../src/batches/batch-listener.ts';
import { denyEvent } from '../../src/deny-event.ts';
import type { Collector } from '../../src/index.ts';
import { collectorFor, denyRecord, labels, t0 } from '../kit.ts';

const epoch = '0123456789abcdef'.repeat(2);
const quiet = { records: 0, unreadBytes: 0, shed: 0 };
const denial = (seq: number): { seq: number; record: string } => ({
  seq,
  record: denialText(denyRecord({ ref: `ref-${seq}`, t: t0 + seq })),
});
const batchOf = (...records: DenyBatch['records'][number][]): DenyBatch => ({ epoch, records, waiting: quiet });
const denials = (...seqs: number[]): DenyBatch => batchOf(...seqs.map(denial));

interface Here {
  collector: Collector;
  listener: BatchListener;
  registry: Registry;
  clock: ManualClock;
  trouble: { hindrance: string | null; ledger: EdgewardError | null };
  /** Before the ledger: shut, whatever comes waits there until it is opened. */
  gate: { reached: Promise<void>; shut(): () => void };
  files(name: string): CertificateFiles;
  sender(name: string, more?: { timeoutMs?: number }): BatchSender;
  refs(): Promise<(string | null)[]>;
}

interface Differing {
  recordsPerSecond?: number;
  requestTimeoutMs?: number;
  logger?: Logger;
}

async function startHere(t: Test, more: Differing = {}): Promise<Here> {
  const folder = t.testdir({});
  const certificates = await testCertificates(join(folder, 'certificates'));
  const registry = createMetrics({ processMetrics: false });
  const clock = createManualClock(Date.parse('2026-11-23T10:00:00.000Z'));
  const collector = await collectorFor({ ledgerFile: join(folder, 'ledger.db'), logs: [], registry });
  t.teardown(() => collector.close());
  const trouble: Here['trouble'] = { hindrance: null, ledger: null };
  let wait = Promise.resolve();
  const reached = signal();
  const gate: Here['gate'] = {
    reached: reached.given,
    shut() {
      const opening = signal();
      wait = opening.given;
      return opening.give;
    },
  };
  const listener = await openBatchListener({
    listen: { host: '127.0.0.1', port: 0 },
    files: { ...(await certificates.server()), clientCaFile: certificates.caFile },
    senders: new Map([
      ['edge-1', ['edge-1']],
      ['edge-2', ['edge-2']],
      ['svc', ['edge-1', 'edge-3']],
    ]),
    nameOf: (peer) => {
      const { points } = identityOf(peer);
      return points.length === 1 ? (points[0] ?? null) : null;
    },
    mayLabel: true,
    intake: {
      takeBatch: async (...batch) => {
        reached.give();
        await wait;
        if (trouble.ledger !== null) throw trouble.ledger;
        return collector.takeBatch(...batch);
      },
    },
    hindrance: () => trouble.hindrance,
    recordsPerSecond: more.recordsPerSecond ?? 10_000,
    ...(more.requestTimeoutMs === undefined ? {} : { requestTimeoutMs: more.requestTimeoutMs }),
    ...{ registry, clock: clock as Clock, logger: more.logger ?? createLogger({ level: 'silent' }) },
  });
  t.teardown(() => listener.close());
  const own = new Map<string, CertificateFiles>();
  for (const name of ['edge-1', 'edge-2', 'svc', 'edge-9']) own.set(name, await certificates.point(name));
  own.set('two', await certificates.point('edge-1', 'edge-2'));
  own.set('ann', await certificates.person('ann'));
  const files = (name: string): CertificateFiles => own.get(name) as CertificateFiles;
  const sender: Here['sender'] = (name, more = {}) => {
    const made = createBatchSender({ url: listener.url, tls: files(name), now: clock.now, ...more });
    t.teardown(made.close);
    return made;
  };
  const refs = async (): Promise<(string | null)[]> =>
    (await collector.denials({ limit: 10_000 })).map((it) => it.event.ref);
  return { collector, listener, registry, clock, trouble, gate, files, sender, refs };
}

function signal(): { given: Promise<void>; give(): void } {
  let give = (): void => {};
  const given = new Promise<void>((resolve) => {
    give = resolve;
  });
  return { given, give };
}

const acknowledged = (sent: BatchSent): number | string =>
  sent.state === 'acknowledged' ? sent.acknowledged : `${sent.state} ${sent.error.code}`;

t.test('what is acknowledged is stored, with labels, as of the point that the certificate names', async (t) => {
  const { collector, sender } = await startHere(t);
  t.equal(acknowledged(await sender('edge-1').send(denials(1, 2))), 2);
  const [first] = await collector.denials({});
  t.strictSame(first?.event, denyEvent(denyRecord({ ref: 'ref-1', t: t0 + 1 }), 'edge-1', labels));
});

t.test('each record is stored once, however often and in whatever order batches come', async (t) => {
  const { collector, sender, refs } = await startHere(t);
  const edge = sender('edge-1');
  for (const batch of [denials(1, 2), denials(1, 2), denials(2, 3), denials(5), denials(4), denials(1, 2, 3, 4, 5)])
    await edge.send(batch);
  t.strictSame((await refs()).sort(), ['ref-1', 'ref-2', 'ref-3', 'ref-4', 'ref-5']);
  t.match(collector.spools(), [{ point: 'edge-1', stored: 5, missing: 0 }]);
  t.equal(acknowledged(await sender('edge-2').send(denials(1))), 1, 'the numbers of another one are others');
  t.equal(acknowledged(await edge.send({ ...denials(1), epoch: 'f'.repeat(32) })), 1, 'and those of another life');
  t.equal((await refs()).length, 7);
});

t.test('numbers that never came are missing, and nothing is said of them but that', async (t) => {
  const { collector, sender } = await startHere(t);
  await sender('edge-1').send(denials(3, 4));
  t.match(collector.spools(), [{ point: 'edge-1', stored: 2, missing: 2 }]);
});

t.test('whatever a log could not say is in the books of its point', async (t) => {
  const { collector, sender } = await startHere(t);
  const records = [
    denialText(denyRecord({ ref: 'last', t: t0 + 9_000, count: 40, firstMs: t0 })),
    gapText({ count: 120, fromMs: t0, toMs: t0 + 5 }),
    unparsedText({ cause: 'torn', sample: '{"v":1' }),
    lossText({ cause: 'truncated', inode: '12', offset: 99 }),
  ];
  const sent = await sender('edge-1').send(batchOf(...records.map((record, index) => ({ seq: index + 1, record }))));
  t.equal(acknowledged(sent), 4);
  t.match(collector.spools(), [
    { stored: 40, gaps: { 'spool-full': 120 }, observed: 160, unparsed: { torn: 1 }, losses: { truncated: 1 } },
  ]);
  const [event] = (await collector.denials({})).map((it) => it.event);
  t.match(event, { count: 40, windowStart: new Date(t0).toISOString(), windowEnd: new Date(t0 + 9_000).toISOString() });
});

t.test('a service brings events of its points with their labels, and of no other point', async (t) => {
  const { collector, sender } = await startHere(t);
  const event = { ...denyEvent(denyRecord({ ref: 'relayed' }), 'edge-3', labels), sourceLabels: { app: 'theirs' } };
  const texts = [
    { kind: 'event', event },
    { kind: 'event', event: { ...event, point: 'edge-2' } },
    { kind: 'event', event: { ...event, ref: 'also', point: 'edge-1' } },
  ].map((record) => JSON.stringify(record));
  t.equal(
    acknowledged(await sender('svc').send(batchOf(...texts.map((record, index) => ({ seq: index + 1, record }))))),
    3,
  );
  const stored = (await collector.denials({})).map((it) => [it.event.point, it.event.ref, it.event.sourceLabels]);
  t.strictSame(stored, [
    ['edge-3', 'relayed', { app: 'theirs' }],
    ['edge-1', 'also', { app: 'theirs' }],
  ]);
  t.match(
    collector.spools().find(({ point }) => point === 'svc'),
    { missing: 0, unparsed: { 'other-point': 1 } },
  );
});

t.test('one record that can not be read holds up nothing', async (t) => {
  const { collector, sender, refs } = await startHere(t);
  const sent = await sender('edge-1').send(batchOf(denial(1), { seq: 2, record: '{"kind":"flow"}' }, denial(3)));
  t.equal(acknowledged(sent), 3);
  t.strictSame(await refs(), ['ref-1', 'ref-3']);
  t.match(collector.spools(), [{ missing: 0, unparsed: { 'no-record': 1 } }]);
});

t.test('who is nobody of ours is told so, and counted', async (t) => {
  const { sender, registry, refs } = await startHere(t);
  for (const name of ['edge-9', 'two', 'ann'])
    t.match(await sender(name).send(denials(1)), {
      state: 'refused',
      status: 403,
      error: { code: 'EDW_ERR_BATCH_SENDER' },
    });
  t.strictSame(await refs(), []);
  t.match(await registry.metrics(), /edgeward_batches_refused_total\{sender="",code="EDW_ERR_BATCH_SENDER"\} 3/);
});

t.test('who is refused again and again fills no log: each is counted, and one in ten seconds is told', async (t) => {
  const lines: string[] = [];
  const logger = createLogger({ level: 'warn', destination: { write: (line) => void lines.push(line) } });
  const { sender, clock, registry } = await startHere(t, { logger });
  const refused = (): string[] => lines.filter((line) => line.includes('"batch_refused"'));
  for (let at = 0; at < 5; at += 1) for (const name of ['edge-9', 'two']) await sender(name).send(denials(1));
  t.equal(refused().length, 1, 'strangers, whatever they are called');
  for (let at = 0; at < 5; at += 1) await sender('edge-1').send({ ...denials(1), epoch: 'none' });
  t.equal(refused().length, 2, 'one of ours is told of all the same');
  await clock.advance(10_000);
  await sender('edge-9').send(denials(1));
  t.equal(refused().length, 3);
  t.match(await registry.metrics(), /edgeward_batches_refused_total\{sender="",code="EDW_ERR_BATCH_SENDER"\} 11/);
});

t.test('nothing older than TLS 1.3 is spoken, and nothing without a certificate', async (t) => {
  const { listener, files } = await startHere(t);
  const { cert, key, ca } = files('edge-1');
  for (const options of [{ cert, key, maxVersion: 'TLSv1.2' as const }, {}]) {
    const asked = request(`${listener.url}/v1/batches`, { method: 'POST', ca, agent: false, ...options });
    asked.end();
    await t.rejects(Promise.race([once(asked, 'response'), once(asked, 'error')]));
  }
});

t.test('what can not be read as a whole is refused, and its sender keeps it', async (t) => {
  const { listener, files, refs } = await startHere(t);
  const { cert, key, ca } = files('edge-1');
  const post = async (body: Buffer | string, headers: Record<string, string>): Promise<unknown> => {
    const options = { method: 'POST', ca, cert, key, agent: false, headers };
    const asked = request(`${listener.url}/v1/batches`, options as object);
    asked.on('error', () => {});
    asked.end(body);
    const [answer] = (await once(asked, 'response')) as [AsyncIterable<Buffer> & { statusCode: number }];
    let text = '';
    for await (const piece of answer) text += piece;
    return [answer.statusCode, (JSON.parse(text) as { error?: { code: string } }).error?.code];
  };
  const text = formatDenyBatch(denials(1), t0);
  const bomb = gzipSync(Buffer.alloc(64 * MAX_BATCH_BYTES));
  t.ok(bomb.length < MAX_BATCH_BYTES, 'small on the wire');
  const table: [name: string, body: Buffer | string, headers: Record<string, string>, expect: unknown[]][] = [
    ['a bomb', bomb, { 'content-encoding': 'gzip' }, [400, 'EDW_ERR_BATCH']],
    ['half of a batch', gzipSync(text).subarray(0, -9), { 'content-encoding': 'gzip' }, [400, 'EDW_ERR_BATCH']],
    ['another coding', text, { 'content-encoding': 'br' }, [400, 'EDW_ERR_BATCH']],
    ['too large', Buffer.alloc(MAX_BATCH_BYTES + 1), {}, [413, 'EDW_ERR_HTTP_BODY_TOO_LARGE']],
    ['a batch that was cut off', text.slice(0, text.indexOf('\n') + 1), {}, [400, 'EDW_ERR_BATCH']],
    ['the same as it is, unpacked', text, {}, [200, undefined]],
  ];
  for (const [name, body, headers, expect] of table) t.strictSame(await post(body, headers), expect, name);
  t.strictSame(await refs(), ['ref-1']);
});

t.test('one batch of a sender is under way at a time', async (t) => {
  const { sender, gate } = await startHere(t);
  const open = gate.shut();
  const first = sender('edge-1').send(denials(1));
  await gate.reached;
  t.match(await sender('edge-1').send(denials(2)), { state: 'later', afterMs: 1_000 });
  open();
  t.equal(acknowledged(await first), 1);
  t.equal(acknowledged(await sender('edge-1').send(denials(2))), 2);
});

t.test('who brings more than was agreed is told when to come again', async (t) => {
  const { sender, clock, registry } = await startHere(t, { recordsPerSecond: 1 });
  const edge = sender('edge-1');
  const many = (from: number): DenyBatch => denials(...Array.from({ length: 20 }, (_, index) => from + index));
  t.equal(acknowledged(await edge.send(many(1))), 20);
  t.match(await edge.send(many(21)), { state: 'later', afterMs: 20_000 });
  t.equal(acknowledged(await sender('edge-2').send(many(1))), 20, 'it is nobody else who has to wait');
  await clock.advance(20_000);
  t.equal(acknowledged(await edge.send(many(21))), 40);
  t.match(await registry.metrics(), /edgeward_batches_deferred_total\{sender="edge-1"\} 1/);
});

t.test('while nothing can be stored nothing is acknowledged, and the same batch is stored later', async (t) => {
  const { sender, trouble, refs } = await startHere(t);
  const edge = sender('edge-1');
  trouble.hindrance = 'no policy is in force yet';
  t.match(await edge.send(denials(1)), { state: 'later', error: { code: 'EDW_ERR_BATCH_LATER' } });
  trouble.hindrance = null;
  trouble.ledger = new EdgewardError('EDW_ERR_LEDGER_WRITE', 'the disk is full', { mend: 'Free some space.' });
  t.match(await edge.send(denials(1)), { state: 'later', afterMs: 5_000, error: { code: 'EDW_ERR_LEDGER_WRITE' } });
  t.strictSame(await refs(), []);
  trouble.ledger = null;
  t.equal(acknowledged(await edge.send(denials(1))), 1);
  t.strictSame(await refs(), ['ref-1']);
});

t.test('a sender without records says that it is there, what waits and what its clock says', async (t) => {
  const { listener, files, clock, registry } = await startHere(t);
  t.match(listener.senders()[0], { name: 'edge-1', heard: null, error: null });
  t.match(await registry.metrics(), /edgeward_sender_last_heard_timestamp_seconds\{sender="edge-1"\} 0/);
  const edge = createBatchSender({
    ...{ url: listener.url, tls: files('edge-1') },
    now: () => clock.now() - 3_600_000,
  });
  t.teardown(edge.close);
  const waiting = { records: 7, unreadBytes: 99, shed: 3 };
  t.equal(acknowledged(await edge.send({ epoch, records: [], waiting })), 0);
  t.equal(acknowledged(await edge.send(denials(1, 2))), 2);
  t.equal(acknowledged(await edge.send({ epoch, records: [], waiting })), 2);
  const at = new Date(clock.now()).toISOString();
  t.match(listener.senders()[0], { heard: { at, epoch, last: 2, waiting, skewMs: -3_600_000 }, error: null });
  const scraped = await registry.metrics();
  t.match(scraped, /edgeward_sender_waiting_records\{sender="edge-1"\} 7/);
  t.match(scraped, /edgeward_sender_clock_skew_seconds\{sender="edge-1"\} -3600/);
});

t.test('a request that trickles or stops is over after its time, and holds up nobody', async (t) => {
  const { listener, files, sender } = await startHere(t, { requestTimeoutMs: 1_000 });
  const { cert, key, ca } = files('edge-1');
  const socket = connect({ host: '127.0.0.1', port: listener.port, cert, key, ca });
  // Whoever does not read what is said to him does not see the end of it either.
  socket.on('error', () => {}).resume();
  const closed = new Promise((resolve) => socket.once('close', resolve));
  // Sent as soon as there is a session; on a busy machine that alone may take longer than a request may.
  socket.write('POST /v1/batches HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{');
  t.equal(acknowledged(await sender('edge-1').send(denials(1))), 1);
  await closed;
});
