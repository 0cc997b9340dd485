/** Who is denied where, as a picture, and the addresses that do it most. From PostgreSQL. */
import {
  EdgeOptionsBuilder,
  PanelBuilder as NodeGraphPanel,
  NodeOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/nodegraph';
import type { Row } from '../dashboard.ts';
import { postgres, refTo } from '../data-sources.ts';
import { toSource } from '../links.ts';
import { described, type Panel } from '../panels.ts';
import { chosen, within } from '../selectors.ts';
import { table } from '../tables.ts';
import { rows } from '../targets.ts';
import { unknown } from './cause.ts';
import { bounded, newestEvents } from './newest-events.ts';

const source = refTo(postgres);

/** More than this nobody can read, and a browser hardly draws. */
const mostEdges = 200;

/** Both frames are made of the same edges, so that no edge lacks a node. */
const edges = `
WITH edge AS (
  SELECT ${unknown} AS labels, object, sum(count) AS denials, string_agg(DISTINCT reason, ', ') AS reasons
  FROM edgeward.denials_by_hour
  WHERE ${within('hour')} AND verdict = \${verdict:sqlstring} AND ${chosen('object', 'reason')}
  GROUP BY 1, 2 ORDER BY denials DESC, 1, 2 LIMIT ${mostEdges}
)`;

/** Columns as the panel wants them named. A set of labels and an object may be called alike. */
const nodes = `${edges}
SELECT 'source ' || labels AS id, labels AS title, 'source' AS subtitle, sum(denials) AS mainstat, 'orange' AS color
FROM edge GROUP BY labels
UNION ALL
SELECT 'object ' || object, object, 'object', sum(denials), 'blue' FROM edge GROUP BY object`;

const links = `${edges}
SELECT 'source ' || labels || ' to ' || object AS id, 'source ' || labels AS source, 'object ' || object AS target,
  denials AS mainstat, reasons AS secondarystat, labels AS detail__labels, object AS detail__object
FROM edge`;

const picture: Panel = described(new NodeGraphPanel(), {
  title: 'Map of denials',
  description: `Labels of sources (orange) and the objects (blue) that denied them, in whole hours that reach into the range, of all points: the ${mostEdges} pairs with most denials. Narrow the range or choose an object to see the others.`,
  unit: 'locale',
  width: 14,
  height: 14,
  source,
  targets: [rows('nodes', nodes), rows('edges', links)],
})
  .nodes(new NodeOptionsBuilder().mainStatUnit('locale'))
  .edges(new EdgeOptionsBuilder().mainStatUnit('locale'));

export const map: Row = {
  title: 'Who to whom? (PostgreSQL)',
  panels: [
    picture,
    table({
      title: 'Addresses denied most',
      description: `Addresses with most denials in the range, with the workloads that have them. One address, many objects: a scan. Many objects of one workload: its labels are wrong, or its policy. ${bounded}`,
      unit: 'locale',
      width: 10,
      height: 14,
      source,
      targets: [
        rows(
          'A',
          `
SELECT source, string_agg(DISTINCT array_to_string(source_workloads, ', '), '; ') AS workloads, sum(count) AS denials,
  count(DISTINCT object) AS objects, string_agg(DISTINCT reason, ', ') AS reasons, max(window_end) AS last
FROM ${newestEvents}
GROUP BY source ORDER BY denials DESC, source LIMIT 50`,
        ),
      ],
      columns: [
        { name: 'source', heading: 'Address', links: [toSource] },
        { name: 'workloads', heading: 'Workloads' },
        { name: 'denials', heading: 'Denials', width: 90 },
        { name: 'objects', heading: 'Objects', width: 90 },
        { name: 'reasons', heading: 'Reasons' },
        { name: 'last', heading: 'Last', unit: 'dateTimeAsSystem', width: 170 },
      ],
    }),
  ],
};
