/** The way of a denial: from its point to the ledger, how fast, and what was wrong with it on the way. */
import { steps } from '../colours.ts';
import type { Row } from '../dashboard.ts';
import { graph } from '../panels.ts';
import { ofPoint } from '../selectors.ts';
import { lines } from '../targets.ts';

const rate = (by: string, name: string): string => `sum by (${by}) (rate(${ofPoint(name)}[$__rate_interval]))`;
const within = (share: number): string =>
  `histogram_quantile(${share}, sum by (le) (rate(${ofPoint('edgeward_event_delay_seconds_bucket')}[$__rate_interval])))`;

export const stages: Row = {
  title: 'How do denials arrive?',
  panels: [
    graph({
      title: 'Events stored a second',
      description: 'Events that reached the ledger, by point. An event of a host may stand for many denials.',
      unit: 'cps',
      width: 8,
      height: 8,
      targets: [lines('A', rate('point', 'edgeward_events_stored_total'), '{{point}}')],
    }),
    graph({
      title: 'Delay to the ledger',
      description:
        'From the denial, by the clock of its point, to its place in the ledger. Half of them, and ninety-nine of a hundred, took at most so long.',
      unit: 's',
      width: 8,
      height: 8,
      colours: steps([60, 'red']),
      targets: [lines('A', within(0.5), 'half'), lines('B', within(0.99), '99 of 100')],
    }),
    graph({
      title: 'Deny log not read yet',
      description:
        'Bytes of deny logs on this machine that wait. Climbs: the collector is slower than the denials, or its ledger is away.',
      unit: 'bytes',
      width: 8,
      height: 8,
      targets: [lines('A', `sum by (point) (${ofPoint('edgeward_deny_log_lag_bytes')})`, '{{point}}')],
    }),
    graph({
      title: 'Not understood',
      description:
        'Lines and messages a second that could not be read, by cause. The ledger keeps the last hundred, to look at.',
      unit: 'cps',
      width: 8,
      height: 8,
      stacked: true,
      targets: [lines('A', rate('point, cause', 'edgeward_events_unparsed_total'), '{{point}} {{cause}}')],
    }),
    graph({
      title: 'Missing, late and twice',
      description:
        'By their numbers: events a second that did not come, that came later after all, and that came again because an answer was lost. Twice is harmless: each is stored once.',
      unit: 'cps',
      width: 8,
      height: 8,
      targets: [
        lines('A', rate('point', 'edgeward_events_missing_total'), '{{point}} missing'),
        lines('B', rate('point', 'edgeward_events_late_total'), '{{point}} late'),
        lines('C', rate('point', 'edgeward_events_duplicates_total'), '{{point}} twice'),
      ],
    }),
    graph({
      title: 'Logs lost or cut',
      description:
        'Times a second that lines of a deny log may have been lost before they were read: truncated, replaced, gone. Rotate by rename.',
      unit: 'cps',
      width: 8,
      height: 8,
      stacked: true,
      targets: [lines('A', rate('point, cause', 'edgeward_deny_log_losses_total'), '{{point}} {{cause}}')],
    }),
  ],
};
