/** Names that stand in labels of the collector's metrics, each bounded. The ledger names them all. */
import { boundedNames, forgetBoundedNames, type Registry } from '@edgeward/runtime';

export interface MetricNames {
  point(name: string): string;
  object(name: string): string;
  rule(name: string): string;
  /** A value of the label `env`. */
  env(value: string): string;
  /** A point in a histogram, which is many series. */
  timedPoint(name: string): string;
  /** Takes their metric back out of the registry. */
  close(): void;
}

const most = 2_000;
const few = 200;

export function metricNames(registry: Registry): MetricNames {
  return {
    point: boundedNames(registry, 'point', most),
    object: boundedNames(registry, 'object', most),
    rule: boundedNames(registry, 'rule', most),
    env: boundedNames(registry, 'env', few),
    timedPoint: boundedNames(registry, 'timed-point', few),
    close: () => forgetBoundedNames(registry),
  };
}
