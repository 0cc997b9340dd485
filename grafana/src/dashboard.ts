/**
 * What every dashboard has: an address for ever, variables, the annotation of policy revisions, links to the others, and
 * rows that begin with a question. A row that is folded asks nothing until it is opened.
 */
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  AnnotationQueryBuilder,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  RowBuilder,
  type VariableModel,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { prometheus, refTo } from './data-sources.ts';
import { toOthers } from './links.ts';
import type { Panel } from './panels.ts';
import { ofService } from './selectors.ts';
import { marks } from './targets.ts';

export interface Row {
  title: string;
  /** Until somebody opens it: what not everybody has. */
  folded?: boolean;
  panels: Panel[];
}

export interface DashboardSpec {
  uid: string;
  title: string;
  description: string;
  from: string;
  variables: Builder<VariableModel>[];
  rows: Row[];
}

export function dashboard(spec: DashboardSpec): Dashboard {
  const builder = new DashboardBuilder(spec.title)
    .uid(spec.uid)
    .description(spec.description)
    .tags(['edgeward'])
    .readonly()
    .timezone('browser')
    .time({ from: spec.from, to: 'now' })
    .refresh('30s')
    .tooltip(DashboardCursorSync.Crosshair)
    .variables(spec.variables)
    .annotations([revisions()])
    .links([toOthers()]);
  for (const row of spec.rows) addRow(builder, row);
  return numbered(builder.build());
}

function addRow(builder: DashboardBuilder, { title, folded = false, panels }: Row): void {
  const row = new RowBuilder(title);
  if (folded) for (const panel of panels) row.withPanel(panel);
  builder.withRow(row);
  if (!folded) for (const panel of panels) builder.withPanel(panel);
}

/** In the order in which they stand, so that the same source gives the same file. */
function numbered(model: Dashboard): Dashboard {
  let id = 0;
  for (const panel of model.panels ?? []) {
    id += 1;
    panel.id = id;
    if (!('panels' in panel)) continue;
    for (const folded of panel.panels) {
      id += 1;
      folded.id = id;
    }
  }
  return { ...model, id: null, version: 1 };
}

/**
 * A mark where a revision is in force that was not one step before. The revision is made a label, so that the mark can
 * say which.
 */
function revisions(): AnnotationQueryBuilder {
  const now = `count_values by (job, instance) ("revision", ${ofService('edgeward_policy_revision')})`;
  const before = `count_values by (job, instance) ("revision", ${ofService('edgeward_policy_revision')} offset $__interval)`;
  return new AnnotationQueryBuilder()
    .name('Policy revisions')
    .datasource(refTo(prometheus))
    .enable(true)
    .iconColor('blue')
    .target(marks(`${now} unless ${before}`))
    .expr(`${now} unless ${before}`)
    .step('60s')
    .titleFormat('Policy revision {{revision}}')
    .textFormat('in force since here')
    .tagKeys('instance')
    .useValueForTime(false);
}
