/** What is denied, how much, where and why: by names alone, which every installation has in Prometheus. */
import type { Row } from '../dashboard.ts';
import { graph, ranking, stat } from '../panels.ts';
import { grown, ofDenial, once } from '../selectors.ts';
import { lines, values } from '../targets.ts';

const denied = ofDenial('edgeward_denials_total', 'verdict="deny"');
const wouldBe = ofDenial('edgeward_denials_total', 'verdict="would-deny"');
const chosen = ofDenial('edgeward_denials_total', 'verdict="$verdict"');

const rate = (by: string, series: string): string => once(by, `rate(${series}[$__rate_interval])`);
const largest = (by: string): string => `topk(10, ${once(by, grown(chosen))} > 0)`;

export const what: Row = {
  title: 'What is denied?',
  panels: [
    graph({
      title: 'Denials a second, by reason',
      description:
        'unknown-source or port-not-allowed that begins at a mark: a policy or label change cut somebody off. no-policy or internal-error: a point has a problem of its own. bad-request: somebody probes. A single denial of a new kind shows in the counts below and not here.',
      unit: 'cps',
      width: 12,
      height: 9,
      stacked: true,
      targets: [lines('A', rate('reason', denied), '{{reason}}')],
    }),
    graph({
      title: 'Would-deny a second, by object',
      description:
        'What observed objects would deny if they were enforced; the traffic passes. Kept apart from what was denied.',
      unit: 'cps',
      width: 9,
      height: 9,
      stacked: true,
      targets: [lines('A', rate('object', wouldBe), '{{object}}')],
    }),
    stat({
      title: 'Would be denied',
      description:
        'Would-deny in the chosen time range: the object is only observed and the traffic passed. Look at these before an object is enforced.',
      unit: 'locale',
      width: 3,
      height: 9,
      none: '0',
      decimals: 0,
      targets: [values('A', once('', grown(wouldBe)))],
    }),
    ranking({
      title: 'Objects',
      description: 'Protected objects with most of the chosen verdict in the range.',
      unit: 'locale',
      width: 6,
      height: 8,
      targets: [values('A', largest('object'), '{{object}}')],
    }),
    ranking({
      title: 'Reasons',
      description: 'Why, in the range, of the chosen verdict. docs/policy.md says what each reason means.',
      unit: 'locale',
      width: 6,
      height: 8,
      targets: [values('A', largest('reason'), '{{reason}}')],
    }),
    ranking({
      title: 'Rules that deny',
      description: 'Deny rules that decided, in the range. Denials that no rule decided are not here: see Reasons.',
      unit: 'locale',
      width: 6,
      height: 8,
      targets: [
        values(
          'A',
          `topk(10, ${once('rule', grown(ofDenial('edgeward_denials_total', 'verdict="$verdict"', 'rule!=""')))} > 0)`,
          '{{rule}}',
        ),
      ],
    }),
    ranking({
      title: 'Points',
      description: 'Points that denied most of the chosen verdict in the range.',
      unit: 'locale',
      width: 6,
      height: 8,
      targets: [values('A', largest('point'), '{{point}}')],
    }),
  ],
};
