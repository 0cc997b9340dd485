/** From the ledger of a service into that of a collector, over mutual TLS: each event once, whatever fails in between. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { identityOf } from '@edgeward/certificates';
import { type BatchSender, createBatchSender, MAX_BATCH_BYTES } from '@edgeward/deny-log';
import { createLogger, createMetrics, systemClock } from '@edgeward/runtime';
import { freePort, testCertificates } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { MAX_EVENT_BYTES } from '../../src/batches/batch-reading.ts';
import { type BatchListener, type Collector, openBatchListener } from '../../src/index.ts';
import { openLedgerHere } from '../../src/ledger/sqlite/sqlite-ledger.ts';
import { relaySink } from '../../src/sinks/relay-sink.ts';
import { cursorFile } from '../../src/sinks/sink-cursor.ts';
import { sinkMetrics } from '../../src/sinks/sink-metrics.ts';
import { runSink, type SinkRunner, type SinkSource } from '../../src/sinks/sink-runner.ts';
import { collectorFor, refs, until } from '../kit.ts';
import { batchOf, eventsBefore } from '../ledger/fixtures.ts';
import { event, impatientClock, named, type Stage, stageOf } from './stage.ts';

const dayMs = 86_400_000;
const never = new AbortController().signal;

interface Site extends Stage {
  central: Collector;
  /** Stops and starts where it was. */
  stop(): Promise<void>;
  listen(): Promise<void>;
  sender(): BatchSender;
  relay(sender?: BatchSender, source?: SinkSource): SinkRunner;
  heard(name: string): unknown;
  /** References at the central collector, in the order of their storing. */
  arrived(): Promise<(string | null)[]>;
}

async function siteOf(t: Test, points: 'all' | string[] = 'all'): Promise<Site> {
  const stage = await stageOf(t);
  const certificates = await testCertificates(join(stage.folder, 'tls'));
  const server = await certificates.server();
  const own = await certificates.point('service-fra');
  const logger = createLogger({ level: 'silent' });
  const registry = createMetrics({ processMetrics: false });
  const central = await collectorFor({ ledgerFile: join(stage.folder, 'central.db'), logs: [], registry });
  const port = await freePort();
  let listener: BatchListener | null = null;
  const runners: SinkRunner[] = [];
  const metrics = sinkMetrics(createMetrics({ processMetrics: false }), () => []);
  const url = `https://127.0.0.1:${port}`;
  const tls = { caFile: certificates.caFile, certFile: own.certFile, keyFile: own.keyFile };
  const sender = (): BatchSender => createBatchSender({ url, tls, timeoutMs: 2_000 });
  t.teardown(async () => {
    await Promise.all(runners.map((runner) => runner.close()));
    await listener?.close();
    await central.close();
  });
  const site: Site = {
    ...stage,
    central,
    sender,
    async listen() {
      listener = await openBatchListener({
        listen: { host: '127.0.0.1', port },
        files: { certFile: server.certFile, keyFile: server.keyFile, clientCaFile: certificates.caFile },
        senders: new Map([['service-fra', points]]),
        nameOf: (peer) => identityOf(peer).points[0] ?? null,
        intake: central,
        mayLabel: true,
        recordsPerSecond: 100_000,
        ...{ registry, logger, clock: systemClock },
      });
    },
    async stop() {
      await listener?.close();
      listener = null;
    },
    relay(over = sender(), source = stage.source) {
      const runner = runSink({
        name: 'collector',
        sink: relaySink(over),
        source,
        file: cursorFile(join(stage.folder, 'sinks'), 'collector'),
        ...{ backlogMs: null, clock: impatientClock, metrics, logger },
      });
      runners.push(runner);
      return runner;
    },
    heard: (name) => listener?.senders().find((sender) => sender.name === name)?.heard ?? null,
    arrived: async () => (await central.denials({ limit: 10_000 })).map((denial) => denial.event.ref),
  };
  await site.listen();
  return site;
}

t.test('an event arrives as it is, labels and all, once and in order', async (t) => {
  const site = await siteOf(t);
  const stored = await site.store(refs(0, 1_200).map((ref, i) => event(ref, Date.now(), `edge-${i % 3}`)));
  const relay = site.relay();
  await until('all of them arrived', () => relay.status().sent === 1_200);
  const there = await site.central.denials({ limit: 10_000 });
  t.strictSame(
    there.map((denial) => denial.event),
    stored.map((denial) => denial.event),
  );
  t.match(relay.status(), { lagEvents: 0, rejected: 0, lost: 0, error: null });
});

t.test('a service that has nothing to say is heard all the same', async (t) => {
  const site = await siteOf(t);
  const relay = site.relay();
  await until('it is heard', () => site.heard('service-fra') !== null);
  t.match(site.heard('service-fra'), { epoch: site.ledger.epoch, last: 0, waiting: { records: 0 } });
  t.equal(relay.status().sent, 0);
});

t.test('with an older cursor, and over any number of restarts, nothing is stored twice', async (t) => {
  const site = await siteOf(t);
  const path = join(site.folder, 'sinks/collector.json');
  let kept: Buffer | null = null;
  for (const at of [0, 100, 200, 300]) {
    await site.store(refs(at, at + 100).map((ref) => event(ref)));
    const relay = site.relay();
    await until('all of them arrived', () => relay.status().lagEvents === 0 && relay.status().sent > 0);
    await relay.close();
    kept ??= readFileSync(path);
    writeFileSync(path, kept);
  }
  t.strictSame(await site.arrived(), refs(0, 400));
});

t.test('a collector that is away, or whose answer is lost, has each event once in the end', async (t) => {
  const site = await siteOf(t);
  await site.stop();
  const real = site.sender();
  let unanswered = 0;
  const losing: BatchSender = {
    ...real,
    async send(batch) {
      const sent = await real.send(batch);
      if (sent.state !== 'acknowledged' || unanswered >= 3) return sent;
      unanswered += 1;
      return { state: 'unanswered', error: Object.assign(new Error('cut off'), { code: 'X', mend: '' }) as never };
    },
  };
  const relay = site.relay(losing);
  await site.store(refs(0, 600).map((ref) => event(ref)));
  await until('it says why', () => relay.status().error?.code === 'EDW_ERR_SINK_PUSH');
  t.equal((await site.ledger.denials({ limit: 10_000 })).length, 600, 'the ledger has all');
  await site.listen();
  await until('all of them arrived', () => relay.status().sent === 600);
  t.strictSame([await site.arrived(), unanswered], [refs(0, 600), 3]);
});

t.test('what retention took before it was sent is missing at the collector, by number', async (t) => {
  const site = await siteOf(t);
  const then = Date.now() - 3 * dayMs;
  await site.store(
    refs(0, 30).map((ref) => event(ref, then)),
    then,
  );
  await site.store(refs(30, 37).map((ref) => event(ref)));
  while ((await site.ledger.prune(eventsBefore(Date.now() - dayMs), 1_000)) > 0);
  const relay = site.relay();
  await until('the rest arrived', () => relay.status().sent === 7);
  t.equal(relay.status().lost, 30);
  t.strictSame(await site.arrived(), refs(30, 37));
  t.match(site.central.spools(), [{ point: 'service-fra', missing: 30 }]);
});

t.test('a service brings denials of its own points alone; what it says of others holds up nothing', async (t) => {
  const site = await siteOf(t, ['edge-1']);
  await site.store(['a', 'b', 'c'].map((ref, i) => event(ref, Date.now(), `edge-${i}`)));
  const relay = site.relay();
  await until('all of it is acknowledged', () => relay.status().lagEvents === 0 && relay.status().sent === 3);
  t.strictSame(await site.arrived(), ['b']);
});

t.test('a service whose ledger was restored has other events under the same numbers', async (t) => {
  const site = await siteOf(t);
  const batch = (epoch: string, ref: string) => {
    const sink = relaySink(site.sender());
    t.teardown(() => sink.close());
    return sink.push({ denials: [named({ id: 1, event: event(ref) }, epoch)], holes: [] }, never, 0);
  };
  for (const [epoch, ref] of [
    ['a'.repeat(32), 'one'],
    ['b'.repeat(32), 'two'],
    ['a'.repeat(32), 'one'],
  ] as const)
    t.match(await batch(epoch, ref), { sent: 1 });
  t.strictSame(await site.arrived(), ['one', 'two']);
});

t.test('where a standby takes over, nothing is sent twice, and what it gives old numbers to arrives', async (t) => {
  const site = await siteOf(t);
  const standby = await openLedgerHere({ file: join(site.folder, 'standby.db'), synchronous: 'NORMAL' });
  t.teardown(() => standby.close());
  await site.store(refs(0, 10).map((ref) => event(ref)));
  // It lacks the last two.
  await standby.store(batchOf(refs(0, 8).map((ref) => event(ref))));
  const [life] = site.ledger.lives();
  const lives = [life ?? { epoch: '', afterId: 0 }, { epoch: 'd'.repeat(32), afterId: 8 }];
  let isOver = false;
  const source = (): SinkSource => ({
    lives: () => (isOver ? lives : site.ledger.lives()),
    denials: (query) => (isOver ? standby : site.ledger).denials(query),
    onDenial: (listener) => site.source.onDenial(listener),
  });
  const relay = site.relay(site.sender(), source());
  await until('all of it arrived', () => relay.status().sent === 10);
  isOver = true;
  await standby.store(batchOf(['new-1', 'new-2', 'new-3'].map((ref) => event(ref))));
  await until('the new ones arrived', async () => (await site.arrived()).includes('new-3'));
  const all = [...refs(0, 10), 'new-1', 'new-2', 'new-3'];
  t.strictSame(await site.arrived(), all);
  await until('it is through', () => relay.status().sent === 13);
  t.match(relay.status(), { lost: 0, lagEvents: 0, error: null });
  await relay.close();
  await standby.store(batchOf([event('new-4')]));
  const next = site.relay(site.sender(), source());
  await until('the next process goes on', () => next.status().sent === 14);
  t.strictSame(await site.arrived(), [...all, 'new-4']);
});

t.test(
  'an event that no collector takes is counted as refused, missing there by number, and holds up no other',
  async (t) => {
    const site = await siteOf(t);
    const ofBytes = (ref: string, bytes: number) => ({ ...event(ref), sourceLabels: { app: 'x'.repeat(bytes) } });
    const long = [ofBytes('b', MAX_EVENT_BYTES), ofBytes('c', 3 * MAX_BATCH_BYTES)];
    await site.store([event('a'), ...long, ofBytes('d', MAX_EVENT_BYTES - 2_000), event('e')]);
    const relay = site.relay();
    await until('the others arrived', () => relay.status().lagEvents === 0 && relay.status().sent === 3);
    t.strictSame(await site.arrived(), ['a', 'd', 'e']);
    t.match(relay.status(), { sent: 3, rejected: 2, lost: 0 });
    t.match(site.central.spools(), [{ missing: 2, unparsed: {} }]);
  },
);

t.test('no batch is larger than one may be', async (t) => {
  const site = await siteOf(t);
  const wide = (ref: string) => ({ ...event(ref), objectLabels: { app: 'x'.repeat(10_000) } });
  await site.store(refs(0, 400).map(wide));
  const relay = site.relay();
  await until('all of them arrived', () => relay.status().sent === 400);
  t.strictSame(await site.arrived(), refs(0, 400));
});
