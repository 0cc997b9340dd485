/**
 * Prometheus metrics, thin over prom-client: everyone registers in a registry that was handed in, never in a global one,
 * so that two services in one process (and two tests) do not see each other's counters. Names belong to their owners.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** A registry that also carries the process's own metrics (`process_*`, `nodejs_*`), unless told otherwise. */
export function createMetrics(options: { processMetrics?: boolean } = {}): Registry {
  const registry = new Registry();
  if (options.processMetrics ?? true) collectDefaultMetrics({ register: registry });
  return registry;
}

/** A gauge that is read when it is scraped, so that it can't be out of date. `collect` sets all that there is to say. */
export function scrapedGauge(
  registry: Registry,
  { name, help, labelNames = [] }: { name: string; help: string; labelNames?: string[] },
  collect: (gauge: Gauge) => void,
): void {
  new Gauge({
    name,
    help,
    labelNames,
    registers: [registry],
    collect: function (this: Gauge) {
      this.reset();
      collect(this);
    },
  });
}

/** Adds to what was said under the same labels in this scrape. Without a value: 1. */
export type Say = (labels: Record<string, string>, value?: number) => void;

/** Metrics that come and go together. */
export interface MetricGroup {
  counter<Label extends string>(name: string, help: string, labelNames: readonly Label[]): Counter<Label>;
  histogram<Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    buckets: readonly number[],
  ): Histogram<Label>;
  /** Read when it is scraped: `collect` says all that there is to say. */
  gauge(name: string, help: string, labelNames: readonly string[], collect: (say: Say) => void): void;
  /** A total that is kept elsewhere and only grows, read when it is scraped. */
  total(name: string, help: string, labelNames: readonly string[], collect: (say: Say) => void): void;
  /** Takes them back out of the registry. */
  close(): void;
}

export function metricGroup(registry: Registry): MetricGroup {
  const registers = [registry];
  const names: string[] = [];
  const scraped = (kind: typeof Gauge | typeof Counter): MetricGroup['gauge'] => {
    return (name, help, labelNames, collect) => {
      names.push(name);
      new kind({
        name,
        help,
        labelNames: [...labelNames],
        registers,
        collect: function (this: Gauge | Counter) {
          this.reset();
          collect((labels, value = 1) => this.inc(labels, value));
        },
      });
    };
  };
  return {
    counter(name, help, labelNames) {
      names.push(name);
      return new Counter({ name, help, labelNames: [...labelNames], registers });
    },
    histogram(name, help, labelNames, buckets) {
      names.push(name);
      return new Histogram({ name, help, labelNames: [...labelNames], buckets: [...buckets], registers });
    },
    gauge: scraped(Gauge),
    total: scraped(Counter),
    close() {
      for (const name of names.splice(0)) registry.removeSingleMetric(name);
    },
  };
}
