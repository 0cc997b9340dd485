/**
 * Prometheus metrics, thin over prom-client: everyone registers in a registry that was handed in, never in a global one,
 * so that two services in one process (and two tests) do not see each other's counters. Names belong to their owners.
 */
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';

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
