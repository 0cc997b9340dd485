/** The dashboards as they are committed, and every query in them. Tests look at these bytes: they are what people install. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Variable } from './interpolation.ts';

export const folder: string = fileURLToPath(new URL('../dashboards/', import.meta.url));

export type Form = 'provisioned' | 'import';

export interface Source {
  type: string;
  uid: string;
}

export interface Target {
  refId: string;
  datasource: Source;
  expr?: string;
  rawSql?: string;
  format?: string;
  instant?: boolean;
  legendFormat?: string;
  queryType?: string;
}

interface Link {
  title: string;
  url: string;
}

interface Property {
  id: string;
  value: unknown;
}

export interface Panel {
  id: number;
  type: string;
  title: string;
  description?: string;
  datasource?: Source;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: Target[];
  panels?: Panel[];
  collapsed?: boolean;
  interval?: string;
  transformations?: { id: string; options: Record<string, unknown> }[];
  fieldConfig?: {
    defaults: { unit?: string; links?: Link[] };
    overrides: { matcher: { id: string; options: string }; properties: Property[] }[];
  };
}

export interface DashboardVariable extends Variable {
  type: string;
  label: string;
  description?: string;
  query: string;
  refresh?: number;
  datasource?: Source;
  current: { text: Value; value: Value };
}

type Value = string | string[];

export interface Dashboard {
  uid: string;
  id: null;
  title: string;
  description: string;
  tags: string[];
  editable: boolean;
  refresh: string;
  time: { from: string; to: string };
  panels: Panel[];
  templating: { list: DashboardVariable[] };
  annotations: { list: { name: string; datasource: Source; expr: string; target: Target; titleFormat: string }[] };
  links: { type: string; tags: string[] }[];
  __inputs?: { name: string; type: string; pluginId: string }[];
}

/** By the name of the file. */
export function committed(form: Form): Record<string, Dashboard> {
  const files = readdirSync(`${folder}${form}`).filter((name) => name.endsWith('.json'));
  return Object.fromEntries(
    files.map((name) => [name.slice(0, -5), JSON.parse(readFileSync(`${folder}${form}/${name}`, 'utf8')) as Dashboard]),
  );
}

/** Those with queries, folded ones included. */
export function panelsOf({ panels }: Dashboard): Panel[] {
  return panels.flatMap((panel) => (panel.type === 'row' ? (panel.panels ?? []) : [panel]));
}

export interface Query {
  /** `denials: Objects (A)` */
  name: string;
  refId: string;
  dashboard: string;
  kind: 'promql' | 'logql' | 'sql';
  /** As it is committed, with its variables. */
  text: string;
  /** Asked as of one instant. */
  isInstant: boolean;
  format: string;
  /** `{{reason}}` */
  legend: string;
  panel: Panel | null;
  variables: readonly DashboardVariable[];
}

const kinds: Record<string, Query['kind']> = {
  prometheus: 'promql',
  loki: 'logql',
  'grafana-postgresql-datasource': 'sql',
};

/** Of panels and annotations. Lists of variables are `listQueries`. */
export function queries(form: Form = 'provisioned'): Query[] {
  return Object.entries(committed(form)).flatMap(([dashboard, model]) => {
    const variables = model.templating.list;
    const query = (title: string, target: Target, panel: Panel | null): Query => ({
      name: `${dashboard}: ${title} (${target.refId})`,
      refId: target.refId,
      dashboard,
      kind: kinds[target.datasource.type] ?? 'promql',
      text: target.rawSql ?? target.expr ?? '',
      isInstant: target.instant ?? false,
      format: target.format ?? '',
      legend: target.legendFormat ?? '',
      panel,
      variables,
    });
    return [
      ...panelsOf(model).flatMap((panel) => (panel.targets ?? []).map((target) => query(panel.title, target, panel))),
      ...model.annotations.list.map(({ name, target }) => query(name, target, null)),
    ];
  });
}

/** `label_values(metric{…}, label)` of a variable. */
export function listQueries(
  form: Form = 'provisioned',
): { name: string; series: string; label: string; variables: readonly DashboardVariable[] }[] {
  return Object.entries(committed(form)).flatMap(([dashboard, { templating }]) =>
    templating.list
      .filter(({ type }) => type === 'query')
      .map(({ name, query }) => {
        const [, series = '', label = ''] = /^label_values\((.+), (\w+)\)$/.exec(query) ?? [];
        return { name: `${dashboard}: $${name}`, series, label, variables: templating.list };
      }),
  );
}
