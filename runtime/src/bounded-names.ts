/**
 * Names that may stand in a label of a metric: the first of them, up to a bound, keep theirs; all others are `other`, and
 * that is counted, in one metric of the registry. So whatever others call their things, a scrape stays small.
 */
import { Counter, type Registry } from 'prom-client';

const FOLDED = 'edgeward_metric_names_folded_total';

/** `kind` says what is folded: a value of the counter's own label. */
export function boundedNames(registry: Registry, kind: string, bound: number): (name: string) => string {
  const folded = foldedIn(registry);
  // There from the start: what begins with its first count never seems to grow.
  folded.inc({ label: kind }, 0);
  const known = new Set<string>();
  return (name) => {
    if (known.has(name)) return name;
    if (known.size >= bound) {
      folded.inc({ label: kind });
      return 'other';
    }
    known.add(name);
    return name;
  };
}

/** Takes the counter out of the registry; names that are given out go on being bounded. */
export function forgetBoundedNames(registry: Registry): void {
  registry.removeSingleMetric(FOLDED);
}

function foldedIn(registry: Registry): Counter<'label'> {
  const there = registry.getSingleMetric(FOLDED);
  if (there instanceof Counter) return there;
  return new Counter({
    name: FOLDED,
    help: 'Times that a name was counted as other, because a label has all the names that it may have.',
    labelNames: ['label'],
    registers: [registry],
  });
}
