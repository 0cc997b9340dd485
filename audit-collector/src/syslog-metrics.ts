/**
 * What a scrape sees of the listeners. Every way in which a message can come to nothing has a counter of its own; the
 * sums over the fates of a point's denials are what its TMMs observed.
 */
import { Counter, Gauge, type Registry } from '@edgeward/runtime';
import type { NumberedResult } from './ledger.ts';
import type { SequenceTotal } from './ledger-sequences.ts';
import type { CloseCause, RefusalCause } from './syslog-listener.ts';

export interface SyslogMetrics {
  taken(point: string, result: Omit<NumberedResult, 'stored'>): void;
  refused(point: string, cause: RefusalCause): void;
  closed(point: string, cause: CloseCause): void;
  dropped(point: string, count: number): void;
  /** Takes the metrics back out of the registry. */
  close(): void;
}

export interface SyslogReadings {
  sequences(): SequenceTotal[];
  listeners(): { point: string; connections: number; waiting: number }[];
}

export function syslogMetrics(registry: Registry, readings: SyslogReadings): SyslogMetrics {
  const registers = [registry];
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[]): Counter<Label> =>
    new Counter({ name, help, labelNames, registers });
  const gauge = (name: string, help: string, read: () => { point: string; value: number }[]): Gauge =>
    new Gauge({
      name,
      help,
      labelNames: ['point'],
      registers,
      collect() {
        this.reset();
        for (const { point, value } of read()) this.inc({ point }, value);
      },
    });
  const missing = counter(
    'edgeward_syslog_missing_total',
    'Numbers of denials found missing since this process began, those that came later included',
    ['point'],
  );
  const late = counter('edgeward_syslog_late_total', 'Denials that came after they were missing', ['point']);
  const repeated = counter('edgeward_syslog_repeated_total', 'Messages whose denial was stored before', ['point']);
  const suppressed = counter(
    'edgeward_syslog_suppressed_total',
    'Denials that a point left unsent to keep to its rate, as heard since this process began',
    ['point'],
  );
  const refused = counter('edgeward_syslog_refused_total', 'Connections that were not taken', ['point', 'cause']);
  const closed = counter('edgeward_syslog_closed_total', 'Connections that were closed as overdue', ['point', 'cause']);
  const dropped = counter(
    'edgeward_syslog_dropped_total',
    'Messages in memory that no ledger took before the collector ended',
    ['point'],
  );
  const gauges = [
    gauge('edgeward_syslog_connections', 'Connections to the listener of the point', () =>
      readings.listeners().map(({ point, connections }) => ({ point, value: connections })),
    ),
    gauge('edgeward_syslog_waiting_messages', 'Messages in memory that wait for the ledger', () =>
      readings.listeners().map(({ point, waiting }) => ({ point, value: waiting })),
    ),
    fates(registry, readings),
  ];

  return {
    taken(point, result) {
      missing.inc({ point }, result.missing);
      late.inc({ point }, result.late);
      repeated.inc({ point }, result.repeated);
      suppressed.inc({ point }, result.suppressed);
    },
    refused: (point, cause) => refused.inc({ point, cause }),
    closed: (point, cause) => closed.inc({ point, cause }),
    dropped: (point, count) => dropped.inc({ point }, count),
    close() {
      const counters = [missing, late, repeated, suppressed, refused, closed, dropped];
      const all = [...counters, ...gauges] as unknown as { name: string }[];
      for (const { name } of all) registry.removeSingleMetric(name);
    },
  };
}

function fates(registry: Registry, readings: SyslogReadings): Gauge {
  return new Gauge({
    name: 'edgeward_numbered_denials',
    help: 'Denials that a point numbered, over all its lives, by what became of them; their sum is what it observed',
    labelNames: ['point', 'fate'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { point, stored, missing, suppressed } of readable(readings.sequences)) {
        this.set({ point, fate: 'stored' }, stored);
        this.set({ point, fate: 'missing' }, missing);
        this.set({ point, fate: 'suppressed' }, suppressed);
      }
    },
  });
}

/** A ledger that cannot be read leaves this empty; every other metric is still wanted, then most of all. */
function readable(read: () => SequenceTotal[]): SequenceTotal[] {
  try {
    return read();
  } catch {
    return [];
  }
}
