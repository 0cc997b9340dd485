/** Who is denied and what they lack: by labels, which only the ledger knows. From PostgreSQL. */

import type { Row } from '../dashboard.ts';
import { postgres, refTo } from '../data-sources.ts';
import { toObject } from '../links.ts';
import { graph } from '../panels.ts';
import { chosen, within } from '../selectors.ts';
import { table } from '../tables.ts';
import { rows } from '../targets.ts';
import { bounded, newestEvents } from './newest-events.ts';

const source = refTo(postgres);

/** Of the labels of a source that has none: no workload has its address. */
export const unknown = "coalesce(nullif(source, ''), 'no labels')";

export const cause: Row = {
  title: 'Who is cut off, and what do they lack? (PostgreSQL)',
  panels: [
    table({
      title: 'What was missing',
      description: `The rule that came nearest to allowing it, and the one condition that failed: mend that, or refuse with a good conscience. Since: first in the range. ${bounded}`,
      unit: 'locale',
      width: 24,
      height: 9,
      source,
      targets: [
        rows(
          'A',
          `
SELECT object, reason, coalesce(rule, '') AS rule, coalesce(nearest_rule, '') AS nearest_rule,
  coalesce(missed, '') AS missed, sum(count) AS denials, count(DISTINCT source) AS addresses,
  min(window_start) AS since, max(window_end) AS last
FROM ${newestEvents}
GROUP BY object, reason, newest.rule, newest.nearest_rule, newest.missed
ORDER BY denials DESC, since LIMIT 50`,
        ),
      ],
      columns: [
        { name: 'object', heading: 'Object', links: [toObject] },
        { name: 'reason', heading: 'Reason', width: 170 },
        { name: 'rule', heading: 'Denied by rule' },
        { name: 'nearest_rule', heading: 'Nearest rule' },
        { name: 'missed', heading: 'What was missing', width: 420 },
        { name: 'denials', heading: 'Denials', width: 100 },
        { name: 'addresses', heading: 'Addresses', width: 100 },
        { name: 'since', heading: 'Since', unit: 'dateTimeAsSystem', width: 170 },
        { name: 'last', heading: 'Last', unit: 'dateTimeAsSystem', width: 170 },
      ],
    }),
    graph({
      title: 'Denials a minute, by reason',
      description:
        'Each denial once, exactly as the ledger has it: bars are counts and not rates, and the first of a kind is in them.',
      unit: 'locale',
      width: 12,
      height: 9,
      stacked: true,
      step: '1m',
      source,
      targets: [
        rows(
          'A',
          `
SELECT $__timeGroupAlias(minute, $__interval), reason AS metric, sum(count) AS denials
FROM edgeward.denials_by_minute
WHERE ${within('minute')} AND verdict = \${verdict:sqlstring} AND ${chosen('point', 'object', 'reason')}
GROUP BY 1, 2 ORDER BY 1`,
          'time_series',
        ),
      ],
    }),
    table({
      title: 'Labels of the denied',
      description:
        'Denials by the labels of the source, in whole hours that reach into the range, of all points. no labels: no workload has the address; other: more sets of labels than are told apart.',
      unit: 'locale',
      width: 12,
      height: 9,
      source,
      targets: [
        rows(
          'A',
          `
SELECT ${unknown} AS labels, object, reason, sum(count) AS denials
FROM edgeward.denials_by_hour
WHERE ${within('hour')} AND verdict = \${verdict:sqlstring} AND ${chosen('object', 'reason')}
GROUP BY 1, 2, 3 ORDER BY denials DESC, 1, 2, 3 LIMIT 20`,
        ),
      ],
      columns: [
        { name: 'labels', heading: 'Labels of the source' },
        { name: 'object', heading: 'Object', links: [toObject] },
        { name: 'reason', heading: 'Reason', width: 170 },
        { name: 'denials', heading: 'Denials', width: 100 },
      ],
    }),
  ],
};
