/** How the policy arrives: revisions, the time that they take, and what changed without us. */
import { steps } from '../colours.ts';
import type { Row } from '../dashboard.ts';
import { graph } from '../panels.ts';
import { ofPoint, ofService } from '../selectors.ts';
import { lines } from '../targets.ts';

export const change: Row = {
  title: 'How do changes arrive?',
  panels: [
    graph({
      title: 'Revisions behind',
      description:
        'By how many revisions a point is behind what it should hold. A hill while a change is on its way; a plateau is a point that does not take it.',
      unit: 'none',
      width: 12,
      height: 8,
      targets: [
        lines(
          'A',
          `clamp_min(${ofPoint('edgeward_policy_desired_revision')} - ${ofPoint('edgeward_policy_applied_revision')}, 0)`,
          '{{point}}',
        ),
      ],
    }),
    graph({
      title: 'From publishing to in force',
      description:
        'Time that nineteen of twenty changes took until they were in force, by point. Hosts call, so they take up to their interval.',
      unit: 's',
      width: 12,
      height: 8,
      targets: [
        lines(
          'A',
          `histogram_quantile(0.95, sum by (le, point) (rate(${ofPoint('edgeward_policy_apply_seconds_bucket')}[$__rate_interval])))`,
          '{{point}}',
        ),
      ],
    }),
    graph({
      title: 'Not heard of',
      description:
        'Seconds since a point last said what it holds. NGINX is asked twice a second, a BIG-IP and a host less often. A line that climbs: the point or the way to it is gone.',
      unit: 's',
      width: 12,
      height: 8,
      colours: steps([60, 'red']),
      targets: [lines('A', `time() - (${ofPoint('edgeward_point_last_checked_timestamp_seconds')} > 0)`, '{{point}}')],
    }),
    graph({
      title: 'Changed behind our back',
      description:
        'Times that a point was found changed by somebody else. It was repaired, or reported: `edgeward status` says which.',
      unit: 'none',
      width: 12,
      height: 8,
      targets: [lines('A', `increase(${ofPoint('edgeward_point_drifts_total')}[$__rate_interval])`, '{{point}}')],
    }),
    graph({
      title: 'Revision in force',
      description: 'Revision that each service has published. It only grows.',
      unit: 'none',
      width: 12,
      height: 7,
      targets: [lines('A', ofService('edgeward_policy_revision'), '{{instance}}')],
    }),
    graph({
      title: 'Warnings of the policy',
      description: 'Warnings of the policy in force, by code; docs/errors.md has each with its mend.',
      unit: 'none',
      width: 12,
      height: 7,
      targets: [lines('A', `sum by (code) (${ofService('edgeward_policy_warnings')})`, '{{code}}')],
    }),
  ],
};
