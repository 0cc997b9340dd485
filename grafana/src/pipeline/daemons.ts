/** The daemons themselves. */
import { steps } from '../colours.ts';
import type { Row } from '../dashboard.ts';
import { graph } from '../panels.ts';
import { ofService } from '../selectors.ts';
import { lines } from '../targets.ts';

export const daemons: Row = {
  title: 'Are the daemons well?',
  panels: [
    graph({
      title: 'Processor',
      description: 'Share of one core that each daemon uses.',
      unit: 'percentunit',
      width: 6,
      height: 7,
      targets: [
        lines(
          'A',
          `sum by (instance) (rate(${ofService('process_cpu_seconds_total')}[$__rate_interval]))`,
          '{{instance}}',
        ),
      ],
    }),
    graph({
      title: 'Memory',
      description: 'Resident memory of each daemon. Flat, also with a backlog.',
      unit: 'bytes',
      width: 6,
      height: 7,
      targets: [lines('A', `sum by (instance) (${ofService('process_resident_memory_bytes')})`, '{{instance}}')],
    }),
    graph({
      title: 'Late by',
      description:
        'How late each daemon gets to what it wants to do, ninety-nine times of a hundred. Beyond a second it is overloaded.',
      unit: 's',
      width: 6,
      height: 7,
      colours: steps([1, 'red']),
      targets: [lines('A', `max by (instance) (${ofService('nodejs_eventloop_lag_p99_seconds')})`, '{{instance}}')],
    }),
    graph({
      title: 'State that could not be written',
      description:
        'Failed writes of the state folder: a full disk, rights. Enforcement goes on without them; a restart knows what was written last.',
      unit: 'none',
      width: 6,
      height: 7,
      stacked: true,
      targets: [
        lines('A', `increase(${ofService('edgeward_state_write_failures_total')}[$__rate_interval])`, '{{instance}}'),
      ],
    }),
  ],
};
