/** Every point: what it should hold, what it holds, and since when nobody has heard of it. */
import { orangeAboveZero, redAboveZero, steps } from '../colours.ts';
import type { Row } from '../dashboard.ts';
import { stat, timeline } from '../panels.ts';
import { ofPoint, ofService } from '../selectors.ts';
import { joined, table } from '../tables.ts';
import { labelled, lines, values } from '../targets.ts';

const behind = `clamp_min(${ofPoint('edgeward_policy_desired_revision')} - ${ofPoint('edgeward_policy_applied_revision')}, 0)`;
const checked = ofPoint('edgeward_point_last_checked_timestamp_seconds');

const byPoint = (expr: string): string => `max by (point) (${expr})`;
const stated = (state: string): string =>
  `count(max by (point) (${ofPoint('edgeward_point_state', `state="${state}"`)}) == 1) or vector(0)`;

export const state: Row = {
  title: 'Does every point hold the policy?',
  panels: [
    stat({
      title: 'Points',
      description: 'Points that the services serve.',
      unit: 'none',
      width: 3,
      none: 'none',
      decimals: 0,
      targets: [values('A', `count(count by (point) (${ofPoint('edgeward_point_state')}))`)],
    }),
    stat({
      title: 'Current',
      description: 'Points that hold what they should.',
      unit: 'none',
      width: 3,
      none: 'none',
      decimals: 0,
      colours: steps(),
      targets: [values('A', stated('current'))],
    }),
    stat({
      title: 'Behind',
      description: 'Points that answer and hold something else than they should. They enforce what they hold.',
      unit: 'none',
      width: 3,
      none: 'none',
      decimals: 0,
      colours: redAboveZero(),
      targets: [values('A', stated('behind'))],
    }),
    stat({
      title: 'Unreachable',
      description: 'Points that do not answer, or hosts that do not report. They enforce what they had.',
      unit: 'none',
      width: 3,
      none: 'none',
      decimals: 0,
      colours: redAboveZero(),
      targets: [values('A', stated('unreachable'))],
    }),
    stat({
      title: 'Last-known-good',
      description:
        'Services that stand on the last good policy, because its source is away, has errors or has signed nothing new in time. Nothing opens or closes by that.',
      unit: 'none',
      width: 3,
      none: 'no service',
      decimals: 0,
      colours: redAboveZero(),
      targets: [values('A', `sum(${ofService('edgeward_policy_stale')})`)],
    }),
    stat({
      title: 'Errors in the source',
      description: 'Errors that keep the newest edit of the policy out of force. `edgeward check` lists them.',
      unit: 'none',
      width: 3,
      none: 'no service',
      decimals: 0,
      colours: redAboveZero(),
      targets: [values('A', `sum(${ofService('edgeward_policy_errors')})`)],
    }),
    stat({
      title: 'Held',
      description: 'Services with a revision that would cut off unusually much. It waits for `edgeward accept`.',
      unit: 'none',
      width: 3,
      none: 'no service',
      decimals: 0,
      colours: orangeAboveZero(),
      targets: [values('A', `sum(${ofService('edgeward_policy_held')})`)],
    }),
    stat({
      title: 'Break-glass',
      description:
        'Points where one approver alone opened something. It ends by itself; somebody has to look at it all the same.',
      unit: 'none',
      width: 3,
      none: '0',
      decimals: 0,
      colours: redAboveZero(),
      targets: [values('A', `sum(${ofPoint('edgeward_policy_break_glass')})`)],
    }),
    table({
      title: 'Every point, those that are behind first',
      description:
        'Revisions that a point should hold and holds, how long ago it was asked or reported, and of the range how often somebody changed it behind our back and how often it had lost its policy (a restart). Not heard of for more than a minute: look there first.',
      unit: 'none',
      width: 24,
      height: 11,
      targets: [
        labelled('state', `max by (point, state) (${ofPoint('edgeward_point_state')}) == 1`),
        labelled('desired', byPoint(ofPoint('edgeward_policy_desired_revision'))),
        labelled('applied', byPoint(ofPoint('edgeward_policy_applied_revision'))),
        labelled('behind', byPoint(behind)),
        labelled('heard', byPoint(`time() - (${checked} > 0)`)),
        labelled('drift', byPoint(`increase(${ofPoint('edgeward_point_drifts_total')}[$__range])`)),
        labelled('refills', byPoint(`increase(${ofPoint('edgeward_point_refills_total')}[$__range])`)),
      ],
      transformations: joined(
        'point',
        ['__name__', 'job', 'Value #state', 'Time', ...[1, 2, 3, 4, 5, 6, 7].map((index) => `Time ${index}`)],
        [
          'point',
          'state',
          'Value #behind',
          'Value #desired',
          'Value #applied',
          'Value #heard',
          'Value #drift',
          'Value #refills',
        ],
      ),
      sortBy: { column: 'Behind by', descending: true },
      columns: [
        { name: 'point', heading: 'Point' },
        {
          name: 'state',
          heading: 'State',
          width: 130,
          states: {
            current: { text: 'current', color: 'green' },
            applying: { text: 'applying', color: 'blue' },
            behind: { text: 'behind', color: 'red' },
            unreachable: { text: 'unreachable', color: 'red' },
            'no-policy': { text: 'no policy', color: 'orange' },
          },
        },
        { name: 'Value #behind', heading: 'Behind by', width: 110, colours: redAboveZero() },
        { name: 'Value #desired', heading: 'Should hold', width: 120 },
        { name: 'Value #applied', heading: 'Holds', width: 120 },
        {
          name: 'Value #heard',
          heading: 'Heard of',
          unit: 's',
          width: 130,
          colours: steps([30, 'orange'], [60, 'red']),
        },
        { name: 'Value #drift', heading: 'Found changed', width: 140, colours: orangeAboveZero() },
        { name: 'Value #refills', heading: 'Found empty', width: 130 },
      ],
    }),
    timeline({
      title: 'Current, over time',
      description: 'A band for each point: green while it holds what it should, red while it does not.',
      unit: 'none',
      width: 24,
      height: 8,
      states: { '0': { text: 'not current', color: 'red' }, '1': { text: 'current', color: 'green' } },
      targets: [lines('A', ofPoint('edgeward_point_state', 'state="current"'), '{{point}}')],
    }),
  ],
};
