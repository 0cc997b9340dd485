/** Labels that never fail: a denial is stored also when nothing is known about its ends. */
import type { Labels } from './deny-event.ts';

export function guardedLabels(labels: Labels, report: (thrown: unknown) => void): Labels {
  const orElse = <Answer>(ask: () => Answer, fallback: Answer): Answer => {
    try {
      return ask();
    } catch (thrown) {
      report(thrown);
      return fallback;
    }
  };
  const nobody = { workloads: [], networks: [], labels: {}, revision: null };
  return {
    source: (point, address, revision) => orElse(() => labels.source(point, address, revision), nobody),
    object: (point, bind, revision) => orElse(() => labels.object(point, bind, revision), null),
    nearest: (event) => orElse(() => labels.nearest(event), { nearestRule: null, missed: null }),
  };
}
