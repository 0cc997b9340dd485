/**
 * The rules of Grafana's dashboard-linter (github.com/grafana/dashboard-linter, read 2026-11), as that program is no package
 * that could be had here, and a few of our own. A rule answers with what is wrong.
 */
import { type Dashboard, type DashboardVariable, type Panel, panelsOf, type Query } from './committed.ts';
import { logQl, promQl } from './interpolation.ts';
import { asOpened } from './samples.ts';
import { faultsOf, selectorsOf } from './syntax-tree.ts';

export interface Finding {
  rule: string;
  where: string;
  what: string;
}

/** Of those that Grafana knows, what these dashboards use; the linter has the whole list. */
const units = ['none', 'short', 'locale', 'cps', 's', 'bytes', 'percentunit', 'dateTimeAsSystem'];

export function lintDashboard(model: Dashboard): Finding[] {
  const found: Finding[] = [];
  const say = (rule: string, where: string, what: string): void => void found.push({ rule, where, what });
  const variables = model.templating.list;
  for (const { name, label, query } of variables.filter(({ type }) => type === 'datasource')) {
    if (name !== `${query}_datasource`) say('template-datasource-rule', name, `is not ${query}_datasource`);
    if (!label.endsWith('data source')) say('template-datasource-rule', name, `is labelled ${label}`);
  }
  for (const name of ['job', 'instance']) {
    const variable = variables.find((one) => one.name === name);
    if (variable?.type !== 'query' || variable.multi !== true || variable.allValue !== '.+')
      say(`template-${name}-rule`, name, 'is no list of several with .+ for all');
  }
  for (const variable of variables.filter(({ type }) => type === 'query')) lintList(variable, variables, say);
  if (model.editable) say('uneditable-dashboard-rule', model.title, 'can be edited in place');
  for (const panel of panelsOf(model)) lintPanel(panel, say);
  return found;
}

type Say = (rule: string, where: string, what: string) => void;

function lintList(variable: DashboardVariable, variables: readonly DashboardVariable[], say: Say): void {
  const { name, query, refresh, datasource } = variable;
  const [, series = ''] = /^label_values\((.+), \w+\)$/.exec(query) ?? [];
  const faults = faultsOf('promql', promQl(series, asOpened(variables)));
  if (series === '' || faults.length > 0) say('template-label-promql-rule', name, query);
  if (refresh !== 2) say('template-on-time-change-reload-rule', name, 'is not read anew with the time range');
  if (!isVariable(datasource?.uid)) say('panel-datasource-rule', name, 'names a data source');
}

const isVariable = (uid: string | undefined): boolean => /^\$\{\w+_datasource\}$/.test(uid ?? '');

function lintPanel(panel: Panel, say: Say): void {
  const { title, description = '', targets = [], fieldConfig } = panel;
  if (title === '' || description === '') say('panel-title-description-rule', title, 'has no title or description');
  if (targets.length === 0) say('panel-no-targets-rule', title, 'asks nothing');
  for (const uid of [panel.datasource?.uid, ...targets.map(({ datasource }) => datasource.uid)])
    if (!isVariable(uid)) say('panel-datasource-rule', title, `asks ${uid}`);
  const overridden = fieldConfig?.overrides.flatMap(({ properties }) => properties) ?? [];
  const used = overridden.filter(({ id }) => id === 'unit').map(({ value }) => String(value));
  for (const unit of [fieldConfig?.defaults.unit ?? '', ...used])
    if (!units.includes(unit)) say('panel-units-rule', title, `has the unit ${unit}`);
}

/** Of one query of a panel or an annotation. */
export function lintQuery({ name, kind, text, variables }: Query): Finding[] {
  const found: Finding[] = [];
  const say = (rule: string, what: string): void => void found.push({ rule, where: name, what });
  if (kind === 'logql') {
    for (const fault of faultsOf('logql', logQl(text, asOpened(variables)))) say('target-logql-rule', fault);
    if (/\[(?!\$__auto)/.test(text)) say('target-logql-auto-rule', 'a range is not $__auto');
  }
  if (kind !== 'promql') return found;
  for (const fault of faultsOf('promql', promQl(text, asOpened(variables)))) say('target-promql-rule', fault);
  // Parsed with its variables as they are: to the parser they are text, but for the ranges.
  const ranges = text
    .replaceAll('$__rate_interval', '1111s')
    .replaceAll('$__range', '2222s')
    .replaceAll('$__interval', '3333s');
  for (const { metric, labels, range, call } of selectorsOf(ranges)) {
    for (const label of ['job', 'instance'])
      if (!labels.includes(label)) say(`target-${label}-rule`, `${metric} is of every ${label}`);
    if ((call === 'rate' || call === 'irate') && range !== '1111s')
      say('target-rate-interval-rule', `${metric} over ${range}`);
    const isAggregated = range !== null && ['rate', 'irate', 'increase'].includes(call ?? '');
    if (metric.endsWith('_total') && !isAggregated)
      say('target-counter-agg-rule', `${metric} in ${call ?? 'no function'}`);
  }
  return found;
}
