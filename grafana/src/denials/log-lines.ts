/** The same denials where they are kept in Loki. Folded: not everybody has one. */
import { LogsDedupStrategy, LogsSortOrder } from '@grafana/grafana-foundation-sdk/common';
import { PanelBuilder as LogsPanel } from '@grafana/grafana-foundation-sdk/logs';
import type { Row } from '../dashboard.ts';
import { loki, refTo } from '../data-sources.ts';
import { described, graph, type Panel } from '../panels.ts';
import { logCounts, logs } from '../targets.ts';

const source = refTo(loki);

/** One stream a point; everything else is in the line. */
const chosen = '{job="edgeward", point=~"$point"} | json | verdict="$verdict" | object=~"$object" | reason=~"$reason"';

const lines: Panel = described(new LogsPanel(), {
  title: 'Denials in Loki',
  description:
    'The newest lines of what is chosen at the top. Loki is a copy: what it refused is on the dashboard Pipeline, and the ledger has it.',
  unit: 'short',
  width: 24,
  height: 12,
  source,
  targets: [
    logs(
      'A',
      `${chosen} | line_format "{{.reason}} {{.source}} -> {{.object}} {{.port}} {{.method}} {{.host}}{{.path}} rev {{.revision}} ref {{.ref}}"`,
      200,
    ),
  ],
})
  .showTime(true)
  .wrapLogMessage(true)
  .enableLogDetails(true)
  .sortOrder(LogsSortOrder.Descending)
  .dedupStrategy(LogsDedupStrategy.None);

export const logLines: Row = {
  title: 'The same, from Loki',
  folded: true,
  panels: [
    graph({
      title: 'Denials in Loki, by reason',
      description: 'Denials that Loki has, a step. Compare with the graphs above where you doubt the copy.',
      unit: 'locale',
      width: 24,
      height: 7,
      stacked: true,
      source,
      targets: [logCounts('A', `sum by (reason) (sum_over_time(${chosen} | unwrap count [$__auto]))`, '{{reason}}')],
    }),
    lines,
  ],
};
