/**
 * The form of a dashboard that a person uploads: Grafana asks for a data source of each kind, and the dashboard opens with
 * these. In the form that is provisioned, the variables at the top take the first one of their kind.
 */
import type { Dashboard, VariableModel } from '@grafana/grafana-foundation-sdk/dashboard';
import { type DataSource, postgres, prometheus } from './data-sources.ts';

interface Input {
  name: string;
  label: string;
  description: string;
  type: 'datasource';
  pluginId: string;
  pluginName: string;
}

interface Requirement {
  type: 'grafana' | 'datasource';
  id: string;
  name: string;
  version: string;
}

export interface ImportForm extends Dashboard {
  __inputs: Input[];
  __requires: Requirement[];
}

/** Loki is not asked for: an upload with an empty answer is refused, and not everybody has one. */
const asked: [source: DataSource, name: string, description: string][] = [
  [prometheus, 'Prometheus', 'Scrapes the metrics of Edgeward.'],
  [
    postgres,
    'PostgreSQL',
    'Has the ledger of Edgeward, or is any other where the ledger is SQLite: then rows that say PostgreSQL stay empty.',
  ],
];

export function importForm(model: Dashboard): ImportForm {
  const variables = model.templating.list ?? [];
  const used = asked.filter(([source]) => variables.some(({ name }) => name === source.variable));
  return {
    __inputs: used.map(([{ input, plugin, label }, pluginName, description]) => ({
      name: input,
      label,
      description,
      type: 'datasource',
      pluginId: plugin,
      pluginName,
    })),
    __requires: [
      { type: 'grafana', id: 'grafana', name: 'Grafana', version: '11.0.0' },
      ...used.map(([{ plugin }, name]): Requirement => ({ type: 'datasource', id: plugin, name, version: '1.0.0' })),
    ],
    ...model,
    templating: { ...model.templating, list: variables.map(withInput) },
  };
}

function withInput(variable: VariableModel): VariableModel {
  const found = asked.find(([source]) => source.variable === variable.name);
  if (found === undefined) return variable;
  const chosen = `\${${found[0].input}}`;
  return { ...variable, current: { text: chosen, value: chosen } };
}
