/** Where the ledger is copied to: Loki, a central collector. */
import { orangeAboveZero, steps } from '../colours.ts';
import type { Row } from '../dashboard.ts';
import { graph } from '../panels.ts';
import { ofService } from '../selectors.ts';
import { joined, table } from '../tables.ts';
import { labelled, lines } from '../targets.ts';

const bySink = (name: string): string => `sum by (instance, sink) (${ofService(name)})`;
const rate = (by: string, name: string): string => `sum by (${by}) (rate(${ofService(name)}[$__rate_interval]))`;

export const sinks: Row = {
  title: 'Do the copies keep up?',
  panels: [
    table({
      title: 'Every sink',
      description:
        'How much each is behind the ledger, when a push succeeded last, and what it refused or lost for good since its daemon began. A sink that is behind harms nobody: the ledger has everything until retention takes it.',
      unit: 'locale',
      width: 24,
      height: 6,
      targets: [
        labelled('lag', `max by (sink) (${ofService('edgeward_sink_lag_events')})`),
        labelled('behind', `max by (sink) (${ofService('edgeward_sink_lag_seconds')})`),
        labelled(
          'success',
          `max by (sink) (time() - (${ofService('edgeward_sink_last_success_timestamp_seconds')} > 0))`,
        ),
        labelled('rejected', `sum by (sink) (increase(${ofService('edgeward_sink_rejected_total')}[$__range]))`),
        labelled('lost', `sum by (sink) (increase(${ofService('edgeward_sink_lost_total')}[$__range]))`),
      ],
      transformations: joined(
        'sink',
        ['Time', ...[1, 2, 3, 4, 5].map((index) => `Time ${index}`)],
        ['sink', 'Value #lag', 'Value #behind', 'Value #success', 'Value #rejected', 'Value #lost'],
      ),
      sortBy: { column: 'Events behind', descending: true },
      columns: [
        { name: 'sink', heading: 'Sink' },
        { name: 'Value #lag', heading: 'Events behind' },
        { name: 'Value #behind', heading: 'Behind since', unit: 's', colours: steps([60, 'orange'], [900, 'red']) },
        { name: 'Value #success', heading: 'Last success', unit: 's' },
        { name: 'Value #rejected', heading: 'Refused in the range', colours: orangeAboveZero() },
        { name: 'Value #lost', heading: 'Lost in the range', colours: orangeAboveZero() },
      ],
    }),
    graph({
      title: 'Events sent a second',
      description: 'Events that each sink took.',
      unit: 'cps',
      width: 8,
      height: 8,
      targets: [lines('A', rate('instance, sink', 'edgeward_sink_sent_total'), '{{sink}} of {{instance}}')],
    }),
    graph({
      title: 'Events behind',
      description: 'Events in the ledger that a sink does not have.',
      unit: 'locale',
      width: 8,
      height: 8,
      targets: [lines('A', bySink('edgeward_sink_lag_events'), '{{sink}} of {{instance}}')],
    }),
    graph({
      title: 'Refused, lost and tried again',
      description:
        'A second: events that a sink refused for good by reason, events that retention took before they were sent, and pushes that have to be made again by cause.',
      unit: 'cps',
      width: 8,
      height: 8,
      targets: [
        lines('A', rate('sink, reason', 'edgeward_sink_rejected_total'), '{{sink}} refused: {{reason}}'),
        lines('B', rate('sink', 'edgeward_sink_lost_total'), '{{sink}} lost'),
        lines('C', rate('sink, cause', 'edgeward_sink_retries_total'), '{{sink}} again: {{cause}}'),
      ],
    }),
  ],
};
