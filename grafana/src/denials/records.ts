/** The denials themselves: the newest ones, and the one that a client was shown the reference of. From PostgreSQL. */

import type { Row } from '../dashboard.ts';
import { postgres, refTo } from '../data-sources.ts';
import { aroundIt, toObject, toPoint, toReference, toSource } from '../links.ts';
import { chosen } from '../selectors.ts';
import { type Column, table } from '../tables.ts';
import { rows } from '../targets.ts';

const source = refTo(postgres);

const labelsOf = (column: string): string =>
  `(SELECT string_agg(key || '=' || value, ',' ORDER BY key) FROM jsonb_each_text(${column}))`;

/** The two times as text: a number would come formatted. */
const fields = `
SELECT time, verdict, reason, source, ${labelsOf('source_labels')} AS labels,
  array_to_string(source_workloads, ', ') AS workloads, object, port, method, host, path, rule, nearest_rule, missed,
  point, revision, count, ref,
  floor(extract(epoch FROM window_start) * 1000 - 300000)::bigint::text AS from_ms,
  ceil(extract(epoch FROM window_end) * 1000 + 300000)::bigint::text AS to_ms
FROM edgeward.denial_events`;

const columns: Column[] = [
  { name: 'time', heading: 'Time', unit: 'dateTimeAsSystem', width: 170, links: [aroundIt] },
  {
    name: 'verdict',
    heading: 'Verdict',
    width: 100,
    states: { deny: { text: 'deny', color: 'red' }, 'would-deny': { text: 'would deny', color: 'orange' } },
  },
  { name: 'reason', heading: 'Reason', width: 160 },
  { name: 'source', heading: 'Source', width: 140, links: [toSource] },
  { name: 'labels', heading: 'Labels of the source' },
  { name: 'workloads', heading: 'Workloads' },
  { name: 'object', heading: 'Object', links: [toObject] },
  { name: 'port', heading: 'Port', width: 90 },
  { name: 'method', heading: 'Method', width: 80 },
  { name: 'host', heading: 'Host' },
  { name: 'path', heading: 'Path' },
  { name: 'rule', heading: 'Denied by rule' },
  { name: 'nearest_rule', heading: 'Nearest rule' },
  { name: 'missed', heading: 'What was missing', width: 300 },
  { name: 'point', heading: 'Point', links: [toPoint] },
  { name: 'revision', heading: 'Revision', unit: 'none', width: 90 },
  { name: 'count', heading: 'Count', width: 80 },
  { name: 'ref', heading: 'Reference', width: 150, links: [toReference] },
  { name: 'from_ms', hidden: true },
  { name: 'to_ms', hidden: true },
];

export const records: Row = {
  title: 'The denials themselves (PostgreSQL)',
  panels: [
    table({
      title: 'The denial with this reference',
      description:
        'What was denied when a client was shown the reference that stands at the top, at any time that the ledger still has. `edgeward why REFERENCE` says how it would be judged now. Empty: no reference is given, or none is known by it.',
      unit: 'locale',
      width: 24,
      height: 4,
      source,
      targets: [
        rows(
          'A',
          `${fields}\nWHERE ref = \${ref:sqlstring} AND \${ref:sqlstring} <> '' ORDER BY time DESC, id DESC LIMIT 10`,
        ),
      ],
      columns,
    }),
    table({
      title: 'Newest denials',
      description:
        'The newest 200 of what is chosen at the top. A click on the time shows what came five minutes before and after from the same source; on the reference, this one alone. A count above 1: a host told of equal denials at once.',
      unit: 'locale',
      width: 24,
      height: 14,
      source,
      targets: [
        rows(
          'A',
          `${fields}
WHERE $__timeFilter(time) AND verdict = \${verdict:sqlstring} AND ${chosen('point', 'object', 'reason')}
  AND (\${source:sqlstring} = '' OR source = \${source:sqlstring})
ORDER BY time DESC, id DESC LIMIT 200`,
        ),
      ],
      columns,
    }),
  ],
};
