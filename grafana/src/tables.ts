/** Tables: what each column is called, how it is read, and where a click on it leads. */
import { TableCellDisplayMode, TableSortByFieldStateBuilder } from '@grafana/grafana-foundation-sdk/common';
import type { DataTransformerConfig, DynamicConfigValue } from '@grafana/grafana-foundation-sdk/dashboard';
import { PanelBuilder as TablePanel } from '@grafana/grafana-foundation-sdk/table';
import { type Colours, plain } from './colours.ts';
import { built, type Link } from './links.ts';
import { described, type Panel, type PanelSpec, type Shown, shownAs } from './panels.ts';

export interface Column {
  /** As the query names it. */
  name: string;
  /** As it is headed; the name unless told. */
  heading?: string;
  unit?: string;
  width?: number;
  links?: Link[];
  colours?: Colours;
  states?: Record<string, Shown>;
  /** Only there for links to read. */
  hidden?: boolean;
}

export interface TableSpec extends PanelSpec {
  columns: Column[];
  sortBy?: { column: string; descending: boolean };
  transformations?: DataTransformerConfig[];
}

export function table(spec: TableSpec): Panel {
  const panel = described(new TablePanel(), spec).thresholds(plain()).filterable(true).noValue('–');
  for (const column of spec.columns) panel.overrideByName(column.name, propertiesOf(column));
  if (spec.transformations !== undefined) panel.transformations(spec.transformations);
  if (spec.sortBy !== undefined) {
    const { column, descending } = spec.sortBy;
    panel.sortBy([new TableSortByFieldStateBuilder().displayName(column).desc(descending)]);
  }
  return panel;
}

function propertiesOf({ heading, unit, width, links, colours, states, hidden }: Column): DynamicConfigValue[] {
  const properties: DynamicConfigValue[] = [];
  if (heading !== undefined) properties.push({ id: 'displayName', value: heading });
  if (unit !== undefined) properties.push({ id: 'unit', value: unit });
  if (width !== undefined) properties.push({ id: 'custom.width', value: width });
  if (links !== undefined) properties.push({ id: 'links', value: links.map((link) => built(link).build()) });
  if (states !== undefined) properties.push({ id: 'mappings', value: [shownAs(states)] });
  if (colours !== undefined) properties.push({ id: 'thresholds', value: colours.build() });
  if (colours !== undefined || states !== undefined)
    properties.push({ id: 'custom.cellOptions', value: { type: TableCellDisplayMode.ColorBackground } });
  // Older Grafana hides by the first of them, newer by the second.
  if (hidden === true)
    properties.push(
      { id: 'custom.hidden', value: true },
      { id: 'custom.hideFrom', value: { viz: true, legend: false, tooltip: false } },
    );
  return properties;
}

/** Several instant queries with the same labels, as one table; the labels that are not asked for left out. */
export const joined = (by: string, leftOut: string[], order: string[]): DataTransformerConfig[] => [
  { id: 'joinByField', options: { byField: by, mode: 'outer' } },
  {
    id: 'organize',
    options: {
      excludeByName: Object.fromEntries(leftOut.map((name) => [name, true])),
      indexByName: Object.fromEntries(order.map((name, index) => [name, index])),
      renameByName: {},
    },
  },
];
