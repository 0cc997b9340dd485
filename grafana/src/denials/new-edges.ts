/** What is new: who was never denied there before, and what each revision of the policy denies. From PostgreSQL. */

import type { Row } from '../dashboard.ts';
import { postgres, refTo } from '../data-sources.ts';
import { toObject } from '../links.ts';
import { graph } from '../panels.ts';
import { chosen } from '../selectors.ts';
import { table } from '../tables.ts';
import { rows } from '../targets.ts';
import { unknown } from './cause.ts';
import { bounded, newestEvents } from './newest-events.ts';

const source = refTo(postgres);

export const newEdges: Row = {
  title: 'What is new? (PostgreSQL)',
  panels: [
    table({
      title: 'Denied for the first time',
      description:
        'Pairs of labels and object, with the port, that were never denied before the range and were in it. A known consumer here, at the revision of a mark: that change cut it off. Kept longer than the events themselves; all points, both verdicts.',
      unit: 'locale',
      width: 14,
      height: 9,
      source,
      targets: [
        rows(
          'A',
          `
SELECT first_seen, ${unknown} AS labels, object, port, count AS denials, last_seen, first_revision
FROM edgeward.denial_edges
WHERE $__timeFilter(first_seen) AND ${chosen('object')}
ORDER BY first_seen DESC, labels, object, port LIMIT 100`,
        ),
      ],
      columns: [
        { name: 'first_seen', heading: 'First denied', unit: 'dateTimeAsSystem', width: 170 },
        { name: 'labels', heading: 'Labels of the source' },
        { name: 'object', heading: 'Object', links: [toObject] },
        { name: 'port', heading: 'Port', width: 90 },
        { name: 'denials', heading: 'Denials since', width: 110 },
        { name: 'last_seen', heading: 'Last denied', unit: 'dateTimeAsSystem', width: 170 },
        { name: 'first_revision', heading: 'Revision', unit: 'none', width: 90 },
      ],
    }),
    graph({
      title: 'New pairs',
      description: 'Pairs of labels and object, with the port, that were denied for the first time. Bars are counts.',
      unit: 'locale',
      width: 10,
      height: 9,
      stacked: true,
      step: '1m',
      source,
      targets: [
        rows(
          'A',
          `
SELECT $__timeGroupAlias(first_seen, $__interval), object AS metric, count(*) AS pairs
FROM edgeward.denial_edges
WHERE $__timeFilter(first_seen) AND ${chosen('object')}
GROUP BY 1, 2 ORDER BY 1`,
          'time_series',
        ),
      ],
    }),
    table({
      title: 'Denials by revision',
      description: `What each revision of the policy denied in the range: more pairs of source and object after the newest one than before it: look at what it changed. ${bounded}`,
      unit: 'locale',
      width: 24,
      height: 6,
      source,
      targets: [
        rows(
          'A',
          `
SELECT revision, sum(count) AS denials, count(DISTINCT (source, object)) AS pairs, count(DISTINCT object) AS objects,
  min(window_start) AS since, max(window_end) AS last
FROM ${newestEvents}
GROUP BY revision ORDER BY revision DESC LIMIT 20`,
        ),
      ],
      columns: [
        { name: 'revision', heading: 'Revision', unit: 'none', width: 100 },
        { name: 'denials', heading: 'Denials' },
        { name: 'pairs', heading: 'Pairs of address and object' },
        { name: 'objects', heading: 'Objects' },
        { name: 'since', heading: 'First denial', unit: 'dateTimeAsSystem', width: 200 },
        { name: 'last', heading: 'Last denial', unit: 'dateTimeAsSystem', width: 200 },
      ],
    }),
  ],
};
