/** What a scrape sees of sinks. No label carries what a client can choose: the sink's own name, and words of ours. */
import { Counter, type Gauge, type Registry, scrapedGauge } from '@edgeward/runtime';
import { type Pushed, type Rejection, type RetryCause, rejections, retryCauses } from './sink.ts';

export interface SinkMetrics {
  /** From now on every count of it is there, as 0: what appears as 1 is no increase to whoever watches. */
  opened(sink: string): void;
  pushed(sink: string, pushed: Pushed): void;
  lost(sink: string, count: number): void;
  retried(sink: string, cause: RetryCause): void;
}

/** As it is when it is scraped. */
export interface SinkLag {
  name: string;
  lagEvents: number;
  lagSeconds: number;
  /** 0: none yet. */
  lastSuccessMs: number;
}

export function sinkMetrics(registry: Registry, lags: () => SinkLag[]): SinkMetrics {
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[]): Counter<Label> =>
    new Counter({ name, help, labelNames, registers: [registry] });
  const sent = counter('edgeward_sink_sent_total', 'Deny events that a sink took, clamped ones included', ['sink']);
  const rejected = counter('edgeward_sink_rejected_total', 'Deny events that a sink refused for good', [
    'sink',
    'reason',
  ]);
  const clamped = counter('edgeward_sink_clamped_total', 'Deny events sent under another time than their own', [
    'sink',
  ]);
  const lost = counter('edgeward_sink_lost_total', 'Deny events that left the ledger before a sink had them', ['sink']);
  const retries = counter('edgeward_sink_retries_total', 'Pushes to a sink that have to be made again', [
    'sink',
    'cause',
  ]);
  const gauge = (name: string, help: string, value: (lag: SinkLag) => number): void =>
    scrapedGauge(registry, { name, help, labelNames: ['sink'] }, (it: Gauge) => {
      for (const lag of lags()) it.set({ sink: lag.name }, value(lag));
    });
  gauge('edgeward_sink_lag_events', 'Deny events in the ledger that a sink has not', ({ lagEvents }) => lagEvents);
  gauge('edgeward_sink_lag_seconds', 'Since a sink had everything; 0 while it has', ({ lagSeconds }) => lagSeconds);
  gauge(
    'edgeward_sink_last_success_timestamp_seconds',
    'When a push succeeded last',
    (lag) => lag.lastSuccessMs / 1000,
  );
  return {
    opened(sink) {
      for (const plain of [sent, clamped, lost]) plain.inc({ sink }, 0);
      for (const reason of rejections) rejected.inc({ sink, reason }, 0);
      for (const cause of retryCauses) retries.inc({ sink, cause }, 0);
    },
    pushed(sink, outcome) {
      sent.inc({ sink }, outcome.sent);
      clamped.inc({ sink }, outcome.clamped);
      for (const [reason, count] of Object.entries(outcome.rejected) as [Rejection, number][])
        rejected.inc({ sink, reason }, count);
    },
    lost: (sink, count) => lost.inc({ sink }, count),
    retried: (sink, cause) => retries.inc({ sink, cause }),
  };
}
