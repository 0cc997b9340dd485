import { Counter, type Registry } from '@edgeward/runtime';

/** Batches of denials that were put off because their host brings too many. Nothing is lost by that: the host keeps them. */
export function countDeferrals(registry: Registry, points: readonly string[]): (point: string) => void {
  const counter = new Counter({
    name: 'edgeward_host_denials_deferred_total',
    help: 'Batches of denials that a host was told to bring later: it brings more than hosts.denialsPerSecond.',
    labelNames: ['point'],
    registers: [registry],
  });
  // All are there from the start: an alarm on what never was would never sound.
  for (const point of points) counter.inc({ point }, 0);
  return (point) => counter.inc({ point });
}
