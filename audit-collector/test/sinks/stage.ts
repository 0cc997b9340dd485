/** What tests of sinks share: a real ledger that tells what it stores, a clock whose pauses are short, and a Loki to push to. */
import { join } from 'node:path';
import { type Clock, createLogger, createMetrics, type Registry, systemClock } from '@edgeward/runtime';
import { type Fault, type LokiStandIn, startLokiStandIn } from '@edgeward/test/kit';
import type { Test } from 'tap';
import type { DenyEvent } from '../../src/deny-event.ts';
import type { Ledger, StoredDenial } from '../../src/ledger/ledger.ts';
import { openLedgerHere } from '../../src/ledger/sqlite/sqlite-ledger.ts';
import { connectLoki } from '../../src/sinks/loki/loki-connection.ts';
import { lokiSink } from '../../src/sinks/loki/loki-sink.ts';
import type { NamedDenial } from '../../src/sinks/sink.ts';
import { cursorFile } from '../../src/sinks/sink-cursor.ts';
import { sinkMetrics } from '../../src/sinks/sink-metrics.ts';
import { runSink, type SinkRunner, type SinkSource } from '../../src/sinks/sink-runner.ts';
import type { LokiConfig } from '../../src/sinks/sinks-schema.ts';
import { batchOf, eventOf } from '../ledger/fixtures.ts';

/** Whoever pauses is not kept waiting for long. */
export const impatientClock: Clock = {
  now: systemClock.now,
  after: (ms, run) => systemClock.after(Math.min(ms, 20), run),
};

export interface Stage {
  folder: string;
  ledger: Ledger;
  source: SinkSource;
  loki: LokiStandIn;
  /** Stored in one batch, and told. */
  store(events: readonly DenyEvent[], storedMs?: number): Promise<StoredDenial[]>;
  /** Of an event that was stored, and may be gone. */
  tell(id: number): void;
  /** With the cursor that is in the folder. */
  start(options?: { backlogMs?: number | null; clock?: Clock; config?: Partial<LokiConfig> }): SinkRunner;
  metric(name: string): Promise<Record<string, number>>;
}

/** Of the first life of a ledger, whose numbers are its ids. */
export const named = (denial: StoredDenial, epoch = 'e'.repeat(32)): NamedDenial => ({
  ...denial,
  name: { epoch, seq: denial.id },
});

export const event = (ref: string, timeMs: number = Date.now(), point = 'edge-1'): DenyEvent =>
  eventOf({ ref, t: timeMs }, point);

/** `given` is closed by whoever gave it. */
export async function stageOf(t: Test, fault: Fault | null = null, given: Ledger | null = null): Promise<Stage> {
  const folder = t.testdir({});
  const ledger = given ?? (await openLedgerHere({ file: join(folder, 'ledger.db'), synchronous: 'NORMAL' }));
  const loki = await startLokiStandIn();
  loki.setFault(fault);
  const listeners = new Set<(denial: StoredDenial) => void>();
  const registry: Registry = createMetrics({ processMetrics: false });
  const runners: SinkRunner[] = [];
  const metrics = sinkMetrics(registry, () => runners.map((runner) => runner.lag()));
  const source: SinkSource = {
    lives: () => ledger.lives(),
    denials: (query) => ledger.denials(query),
    onDenial(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  t.teardown(async () => {
    await Promise.all(runners.map((runner) => runner.close()));
    if (given === null) await ledger.close();
    await loki.close();
  });
  return {
    ...{ folder, ledger, source, loki },
    async store(events, storedMs = Date.now()) {
      const stored = await ledger.store(batchOf([...events], { storedMs }));
      for (const denial of stored) for (const listener of listeners) listener(denial);
      return stored;
    },
    tell(id) {
      for (const listener of listeners) listener({ id, event: event('gone') });
    },
    start({ backlogMs = null, clock = impatientClock, config = {} } = {}) {
      const connect = () => connectLoki({ ...lokiConfig(loki.url), ...config }, 300);
      const runner = runSink({
        name: 'loki',
        sink: lokiSink({ labels: config.labels ?? {}, clock, connect }),
        source,
        file: cursorFile(join(folder, 'sinks'), 'loki'),
        ...{ backlogMs, clock, metrics, logger: createLogger({ level: 'silent' }) },
      });
      runners.push(runner);
      return runner;
    },
    async metric(name) {
      const found = await registry.getSingleMetric(name)?.get();
      return Object.fromEntries(
        (found?.values ?? []).map(({ labels, value }) => [Object.values(labels).join(), value]),
      );
    },
  };
}

export const lokiConfig = (url: string): LokiConfig => ({
  url: `${url}/loki/api/v1/push`,
  ...{ tenant: null, user: null, passwordFile: null, tokenFile: null },
  ...{ caFile: null, certFile: null, keyFile: null },
  ...{ labels: {}, backlogHours: 24 },
});

/** References of what Loki has, in the order in which it took them. */
export const refsAt = (loki: LokiStandIn): string[] =>
  loki.lines().map(({ line }) => (JSON.parse(line) as DenyEvent).ref ?? '');
