/**
 * What can be chosen at the top of a dashboard. Lists come from Prometheus, which every installation has; they are read
 * anew when the time range changes.
 */
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  CustomVariableBuilder,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  TextBoxVariableBuilder,
  type VariableModel,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { type DataSource, prometheus, refTo } from './data-sources.ts';
import { everyValueOf } from './selectors.ts';

type Variable = Builder<VariableModel>;

export function dataSourceChoice({ variable, label, plugin, preferred }: DataSource): Variable {
  const current = { text: preferred.name, value: preferred.uid };
  return new DatasourceVariableBuilder(variable).label(label).type(plugin).current(current);
}

interface ListOf {
  name: string;
  label: string;
  description: string;
  query: string;
  allValue: string;
}

function list({ name, label, description, query, allValue }: ListOf): Variable {
  return new QueryVariableBuilder(name)
    .label(label)
    .description(description)
    .datasource(refTo(prometheus))
    .query(query)
    .definition(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.NaturalAsc)
    .multi(true)
    .includeAll(true)
    .allValue(allValue)
    .current({ text: ['All'], value: ['$__all'] });
}

const daemons: Variable[] = [
  list({
    name: 'job',
    label: 'Job',
    description: 'Scrape jobs of Edgeward. Narrows what comes from Prometheus.',
    query: 'label_values(edgeward_build_info, job)',
    allValue: '.+',
  }),
  list({
    name: 'instance',
    label: 'Instance',
    description: 'Daemons, by the address that is scraped. Narrows what comes from Prometheus.',
    query: 'label_values(edgeward_build_info{job=~"$job"}, instance)',
    allValue: '.+',
  }),
];

const pointsIn = (metric: string): Variable =>
  list({
    name: 'point',
    label: 'Point',
    description: 'Policy enforcement points.',
    query: `label_values(${metric}{job=~"$job", instance=~"$instance"}, point)`,
    allValue: '.*',
  });

export const fleetVariables: Variable[] = [dataSourceChoice(prometheus), pointsIn('edgeward_point_state'), ...daemons];

/** A collector of its own has points and no state of them. */
export const pipelineVariables: Variable[] = [
  dataSourceChoice(prometheus),
  pointsIn('edgeward_observed_denials_total'),
  ...daemons,
];

function denialList(name: string, label: string, description: string): Variable {
  const query = `label_values(edgeward_ledger_denials_total{job=~"$job", instance=~"$instance"}, ${name})`;
  return list({ name, label, description, query, allValue: everyValueOf(name) });
}

/** In the order of the question: which verdict, where, why, who. */
export const denialVariables: Variable[] = [
  new CustomVariableBuilder('verdict')
    .label('Verdict')
    .description('deny: it was refused. would-deny: the object is only observed, and it passed.')
    .values('deny,would-deny')
    .current({ text: 'deny', value: 'deny' })
    .options([
      { text: 'deny', value: 'deny', selected: true },
      { text: 'would-deny', value: 'would-deny', selected: false },
    ]),
  denialList('point', 'Point', 'Policy enforcement points.'),
  denialList('object', 'Object', 'Protected objects, also those that the policy does not know.'),
  denialList('reason', 'Reason', 'Why it was denied.'),
  new TextBoxVariableBuilder('source')
    .label('Source')
    .description('One address. Narrows what comes from PostgreSQL; empty: every source.')
    .defaultValue('')
    .current({ text: '', value: '' }),
  new TextBoxVariableBuilder('ref')
    .label('Reference')
    .description('What a refused client was shown. Finds its denial at any time, whatever else is chosen.')
    .defaultValue('')
    .current({ text: '', value: '' }),
  ...daemons,
];
