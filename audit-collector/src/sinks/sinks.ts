/** Opens the sinks that are configured, over whatever has a ledger. A sink that can't begin is tried again, and stops nobody. */
import { createBatchSender } from '@edgeward/deny-log';
import { type Clock, type Logger, type Registry, systemClock } from '@edgeward/runtime';
import { connectLoki } from './loki/loki-connection.ts';
import { lokiSink } from './loki/loki-sink.ts';
import { relaySink } from './relay-sink.ts';
import type { Sink } from './sink.ts';
import { cursorFile } from './sink-cursor.ts';
import { type SinkMetrics, sinkMetrics } from './sink-metrics.ts';
import { runSink, type SinkRunner, type SinkSource, type SinkStatus } from './sink-runner.ts';
import type { SinksConfig } from './sinks-schema.ts';

export interface SinksOptions {
  config: SinksConfig;
  source: SinkSource;
  /** Of their cursors. */
  folder: string;
  registry: Registry;
  logger: Logger;
  clock?: Clock | undefined;
}

export interface Sinks {
  status(): SinkStatus[];
  /** At once: nothing is waited for. */
  close(): Promise<void>;
}

const hourMs = 3_600_000;

export function openSinks(options: SinksOptions): Sinks {
  const { config, registry, clock = systemClock } = options;
  const runners: SinkRunner[] = [];
  const metrics = sinkMetrics(registry, () => runners.map((runner) => runner.lag()));
  const { loki, collector } = config;
  const running = { ...options, clock, metrics };
  if (loki !== null) {
    const { labels, backlogHours } = loki;
    const sink = lokiSink({ labels, clock, connect: () => connectLoki(loki) });
    runners.push(run('loki', sink, backlogHours * hourMs, running));
  }
  if (collector !== null) {
    const { url, ...tls } = collector;
    const sink = relaySink(createBatchSender({ url, tls, now: clock.now }));
    // From the first event on: the collector misses every number that it was not sent.
    runners.push(run('collector', sink, null, running));
  }
  return {
    status: () => runners.map((runner) => runner.status()),
    close: async () => {
      await Promise.all(runners.map((runner) => runner.close()));
    },
  };
}

type Running = SinksOptions & { clock: Clock; metrics: SinkMetrics };

function run(
  name: string,
  sink: Sink,
  backlogMs: number | null,
  { source, folder, clock, logger, metrics }: Running,
): SinkRunner {
  return runSink({ name, sink, source, file: cursorFile(folder, name), backlogMs, clock, logger, metrics });
}
