/** What forwarders say of themselves, where they are scraped too. Folded: not everybody has some. */
import { orangeAboveZero, redAboveZero, steps } from '../colours.ts';
import type { Row } from '../dashboard.ts';
import { graph } from '../panels.ts';
import { ofService } from '../selectors.ts';
import { joined, table } from '../tables.ts';
import { labelled, lines } from '../targets.ts';

const each = (name: string): string => `max by (instance) (${ofService(name)})`;
const rate = (by: string, name: string): string => `sum by (${by}) (rate(${ofService(name)}[$__rate_interval]))`;

export const forwarders: Row = {
  title: 'Forwarders, as they tell it',
  folded: true,
  panels: [
    table({
      title: 'Every forwarder',
      description:
        'How much of its spool is used, how long the oldest record has waited, what of the log it has not read, and whether it holds: then lines are left in the log, because the spool has no room. Shed: neither had room, and the denials are a gap.',
      unit: 'locale',
      width: 24,
      height: 7,
      targets: [
        labelled('used', `${each('edgeward_forwarder_spool_bytes')} / ${each('edgeward_forwarder_spool_limit_bytes')}`),
        labelled('records', each('edgeward_forwarder_spool_records')),
        labelled('oldest', each('edgeward_forwarder_spool_oldest_age_seconds')),
        labelled('unread', each('edgeward_forwarder_unread_bytes')),
        labelled('holding', each('edgeward_forwarder_holding')),
        labelled(
          'shed',
          `max by (instance) (increase(${ofService('edgeward_forwarder_shed_denials_total')}[$__range]))`,
        ),
        labelled('acknowledged', `time() - (${each('edgeward_forwarder_last_acknowledged_timestamp_seconds')} > 0)`),
      ],
      transformations: joined(
        'instance',
        ['Time', ...[1, 2, 3, 4, 5, 6, 7].map((index) => `Time ${index}`)],
        [
          'instance',
          ...['used', 'records', 'oldest', 'unread', 'holding', 'shed', 'acknowledged'].map(
            (refId) => `Value #${refId}`,
          ),
        ],
      ),
      sortBy: { column: 'Oldest waits', descending: true },
      columns: [
        { name: 'instance', heading: 'Forwarder' },
        {
          name: 'Value #used',
          heading: 'Spool used',
          unit: 'percentunit',
          colours: steps([0.5, 'orange'], [0.9, 'red']),
        },
        { name: 'Value #records', heading: 'Records that wait' },
        { name: 'Value #oldest', heading: 'Oldest waits', unit: 's', colours: steps([60, 'orange'], [900, 'red']) },
        { name: 'Value #unread', heading: 'Log not read', unit: 'bytes' },
        { name: 'Value #holding', heading: 'Holds', colours: orangeAboveZero() },
        { name: 'Value #shed', heading: 'Shed in the range', colours: redAboveZero() },
        { name: 'Value #acknowledged', heading: 'Last acknowledged', unit: 's' },
      ],
    }),
    table({
      title: 'What is wrong at forwarders now',
      description:
        'Codes of what a forwarder can not do at the moment: docs/errors.md has each with its mend. Empty: nothing.',
      unit: 'none',
      width: 8,
      height: 8,
      targets: [labelled('A', `max by (instance, code) (${ofService('edgeward_forwarder_failing')}) > 0`)],
      columns: [
        { name: 'instance', heading: 'Forwarder' },
        { name: 'code', heading: 'Code' },
        { name: 'Time', hidden: true },
        { name: 'Value', hidden: true },
      ],
    }),
    graph({
      title: 'Records a second',
      description:
        'Records that were written to the spool, sent, and acknowledged. Sent above acknowledged: batches go again, because answers are lost or say later.',
      unit: 'cps',
      width: 8,
      height: 8,
      targets: [
        lines('A', rate('instance', 'edgeward_forwarder_records_spooled_total'), '{{instance}} spooled'),
        lines('B', rate('instance', 'edgeward_forwarder_records_sent_total'), '{{instance}} sent'),
        lines('C', rate('instance', 'edgeward_forwarder_records_acknowledged_total'), '{{instance}} acknowledged'),
      ],
    }),
    graph({
      title: 'Wrong at forwarders, a second',
      description:
        'Batches that go again by cause (later, refused, unanswered), lines that could not be read, and times that lines may have been lost.',
      unit: 'cps',
      width: 8,
      height: 8,
      targets: [
        lines('A', rate('instance, cause', 'edgeward_forwarder_retries_total'), '{{instance}} again: {{cause}}'),
        lines(
          'B',
          rate('instance, cause', 'edgeward_forwarder_unparsed_total'),
          '{{instance}} not understood: {{cause}}',
        ),
        lines('C', rate('instance, cause', 'edgeward_forwarder_losses_total'), '{{instance}} lost: {{cause}}'),
      ],
    }),
  ],
};
