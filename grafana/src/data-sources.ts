/**
 * The data sources that dashboards read. None is named here: each is a variable of the dashboard, so that the same file
 * serves any Grafana, and whoever has several of a kind chooses at the top.
 */
import type { DataSourceRef } from '@grafana/grafana-foundation-sdk/common';

export interface DataSource {
  /** Name of the dashboard's variable. */
  variable: string;
  /** Kind of data source, as Grafana names its plugin. */
  plugin: string;
  label: string;
  /** Name of its input in the form that is imported. */
  input: string;
  /** Chosen at first where it is there: the one that `provisioning/` brings. */
  preferred: { uid: string; name: string };
}

export const prometheus: DataSource = {
  variable: 'prometheus_datasource',
  plugin: 'prometheus',
  label: 'Prometheus data source',
  input: 'DS_PROMETHEUS',
  preferred: { uid: 'edgeward-prometheus', name: 'Edgeward metrics' },
};

export const postgres: DataSource = {
  variable: 'postgres_datasource',
  plugin: 'grafana-postgresql-datasource',
  label: 'PostgreSQL data source',
  input: 'DS_POSTGRES',
  preferred: { uid: 'edgeward-postgres', name: 'Edgeward ledger' },
};

export const loki: DataSource = {
  variable: 'loki_datasource',
  plugin: 'loki',
  label: 'Loki data source',
  input: 'DS_LOKI',
  preferred: { uid: 'edgeward-loki', name: 'Edgeward log' },
};

export const refTo = ({ plugin, variable }: DataSource): DataSourceRef => ({
  type: plugin,
  uid: `\${${variable}}`,
});
