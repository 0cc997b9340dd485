/** Hosts that protect themselves: what their agents report. Folded: not everybody has some. */
import { orangeAboveZero, redAboveZero, steps } from '../colours.ts';
import type { Row } from '../dashboard.ts';
import { graph } from '../panels.ts';
import { ofPoint, ofService } from '../selectors.ts';
import { joined, table } from '../tables.ts';
import { labelled, lines } from '../targets.ts';

const byPoint = (expr: string): string => `max by (point) (${expr})`;

export const hosts: Row = {
  title: 'Hosts and their agents',
  folded: true,
  panels: [
    table({
      title: 'Every host, the silent ones first',
      description:
        'What hosts reported last. observed: the policy says enforce and the host only observes. refused, rolled-back, contended: `edgeward status` says why. Rules put back: somebody else writes the packet filter of that host.',
      unit: 'none',
      width: 24,
      height: 9,
      targets: [
        labelled('state', `max by (point, state) (${ofPoint('edgeward_host_state')}) == 1`),
        labelled('stale', byPoint(ofPoint('edgeward_host_stale'))),
        labelled('heard', byPoint(`time() - (${ofPoint('edgeward_host_last_report_timestamp_seconds')} > 0)`)),
        labelled('skew', byPoint(ofPoint('edgeward_host_clock_skew_seconds'))),
        labelled('certificate', byPoint(`${ofPoint('edgeward_host_certificate_ends_timestamp_seconds')} - time()`)),
        labelled('repairs', byPoint(`increase(${ofPoint('edgeward_host_repairs_total')}[$__range])`)),
      ],
      transformations: joined(
        'point',
        ['__name__', 'job', 'Value #state', 'Time', ...[1, 2, 3, 4, 5, 6].map((index) => `Time ${index}`)],
        ['point', 'state', 'Value #stale', 'Value #heard', 'Value #skew', 'Value #certificate', 'Value #repairs'],
      ),
      sortBy: { column: 'Silent', descending: true },
      columns: [
        { name: 'point', heading: 'Host' },
        {
          name: 'state',
          heading: 'State',
          width: 130,
          states: {
            applied: { text: 'applied', color: 'green' },
            observed: { text: 'observed', color: 'orange' },
            refused: { text: 'refused', color: 'red' },
            'rolled-back': { text: 'rolled back', color: 'red' },
            contended: { text: 'contended', color: 'red' },
            'no-policy': { text: 'no policy', color: 'orange' },
          },
        },
        { name: 'Value #stale', heading: 'Silent', width: 100, colours: redAboveZero() },
        { name: 'Value #heard', heading: 'Reported', unit: 's', width: 120 },
        { name: 'Value #skew', heading: 'Clock off by', unit: 's', width: 130 },
        { name: 'Value #certificate', heading: 'Certificate ends in', unit: 's', width: 170 },
        { name: 'Value #repairs', heading: 'Rules put back', width: 140, colours: orangeAboveZero() },
      ],
    }),
    graph({
      title: 'Clocks',
      description:
        'Clock of each host less that of its service. Beyond ten seconds its denials are recorded at a wrong time.',
      unit: 's',
      width: 12,
      height: 7,
      colours: steps([10, 'red']),
      targets: [lines('A', `abs(${ofPoint('edgeward_host_clock_skew_seconds')})`, '{{point}}')],
    }),
    graph({
      title: 'Hosts turned away',
      description:
        'Requests of hosts a second that were refused, by code (docs/errors.md has each with its mend), and enrolments. superseded: two have the identity of one host.',
      unit: 'cps',
      width: 12,
      height: 7,
      targets: [
        lines(
          'A',
          `sum by (code) (rate(${ofService('edgeward_host_requests_refused_total')}[$__rate_interval]))`,
          '{{code}}',
        ),
        lines(
          'B',
          `sum by (result) (rate(${ofService('edgeward_host_enrolments_total', 'result!~"enrolled|renewed"')}[$__rate_interval]))`,
          'enrolment {{result}}',
        ),
      ],
    }),
  ],
};
