import { Counter, type Registry } from '@edgeward/runtime';

/** How hosts come by their identities, counted. */
const RESULTS = ['enrolled', 'renewed', 'refused', 'limited', 'superseded'] as const;

export type EnrolmentResult = (typeof RESULTS)[number];

export function countEnrolments(registry: Registry): (result: EnrolmentResult) => void {
  const counter = new Counter({
    name: 'edgeward_host_enrolments_total',
    help: 'Identities given to hosts, and refusals: an invite that is not good, too many attempts, a void certificate.',
    labelNames: ['result'],
    registers: [registry],
  });
  // All are there from the start: an alarm on what never was would never sound.
  for (const result of RESULTS) counter.inc({ result }, 0);
  return (result) => counter.inc({ result });
}
