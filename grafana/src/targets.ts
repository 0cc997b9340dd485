/**
 * Queries as Grafana keeps them in a panel. What is said here is the expression and how it is read; the data source is
 * always the variable of its kind.
 */
import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import { DataqueryBuilder as LokiQuery } from '@grafana/grafana-foundation-sdk/loki';
import { DataqueryBuilder as PrometheusQuery, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { loki, postgres, prometheus, refTo } from './data-sources.ts';

export interface Target {
  refId: string;
  query: Builder<Dataquery>;
}

/** A line for each series, over the time range. */
export function lines(refId: string, expr: string, legend: string): Target {
  const query = new PrometheusQuery()
    .datasource(refTo(prometheus))
    .refId(refId)
    .expr(expr)
    .range()
    .legendFormat(legend)
    .format(PromQueryFormat.TimeSeries);
  return { refId, query };
}

/** Marks on the graphs, at most one a minute. */
export function marks(expr: string): Builder<Dataquery> {
  return new PrometheusQuery().datasource(refTo(prometheus)).refId('Anno').expr(expr).range().interval('60s');
}

/** One value for each series, as of the end of the time range. */
export function values(refId: string, expr: string, legend = '__auto'): Target {
  const query = new PrometheusQuery()
    .datasource(refTo(prometheus))
    .refId(refId)
    .expr(expr)
    .instant()
    .legendFormat(legend)
    .format(PromQueryFormat.TimeSeries);
  return { refId, query };
}

/** As `values`, a row for each series with a column for each label. */
export function labelled(refId: string, expr: string): Target {
  const query = new PrometheusQuery()
    .datasource(refTo(prometheus))
    .refId(refId)
    .expr(expr)
    .instant()
    .format(PromQueryFormat.Table);
  return { refId, query };
}

/** Rows of PostgreSQL, with a column `time` where they are a graph. */
export function rows(refId: string, sql: string, format: 'table' | 'time_series' = 'table'): Target {
  const query = {
    datasource: refTo(postgres),
    refId,
    editorMode: 'code',
    format,
    rawQuery: true,
    rawSql: sql.trim(),
    _implementsDataqueryVariant: () => {},
  };
  return { refId, query: { build: () => query } };
}

/** Lines of a log, newest first. */
export function logs(refId: string, expr: string, maxLines: number): Target {
  const query = new LokiQuery().datasource(refTo(loki)).refId(refId).expr(expr).queryType('range').maxLines(maxLines);
  return { refId, query };
}

/** Numbers that Loki counts in its lines, over the time range. */
export function logCounts(refId: string, expr: string, legend: string): Target {
  const query = new LokiQuery().datasource(refTo(loki)).refId(refId).expr(expr).queryType('range').legendFormat(legend);
  return { refId, query };
}
