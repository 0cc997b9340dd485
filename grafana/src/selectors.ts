/**
 * What a query is narrowed to: in PromQL by the dashboard's variables, in SQL by the same ones, quoted as Grafana quotes
 * text of SQL. `All` is one text for both, so that it also means what is not in the list yet.
 */

/** Series of a daemon as a whole. */
export function ofService(name: string, ...matchers: string[]): string {
  return `${name}{${['job=~"$job"', 'instance=~"$instance"', ...matchers].join(', ')}}`;
}

/** Series of the chosen points. */
export function ofPoint(name: string, ...matchers: string[]): string {
  return ofService(name, 'point=~"$point"', ...matchers);
}

/** Series of the chosen points, objects and reasons. */
export function ofDenial(name: string, ...matchers: string[]): string {
  return ofPoint(name, 'object=~"$object"', 'reason=~"$reason"', ...matchers);
}

/** What a denial is told by in Prometheus, whoever tells it. */
const ofOneDenial = 'point, object, rule, reason, verdict';

/**
 * Each denial once: a service counts it, and so does a collector that it relays to. The larger of the two is both, or the
 * one that has it already.
 */
export const once = (by: string, rates: string, told: string = ofOneDenial): string =>
  `sum by (${by}) (max by (${told}) (${rates}))`;

/**
 * How much counters grew in the time range, with what a series began with: `increase` alone misses the first denial of a
 * kind, which is the one to see.
 */
export function grown(series: string): string {
  const born = `(min_over_time(${series}[$__range]) unless last_over_time(${series}[1h] offset $__range))`;
  return `(increase(${series}[$__range]) + ${born}) or increase(${series}[$__range])`;
}

/**
 * What `All` stands for, of a variable that both PromQL and SQL read, which Grafana puts in as it is. To a regular
 * expression it is three alternatives, one of them `.*`; to SQL it is the column, and the rest is a comment, so that
 * `column IN (…)` holds. The name must be that of the column.
 */
export const everyValueOf = (column: string): string => `${column}/*|.*|.*/`;

const isChosen = (column: string): string => `${column} IN (\${${column}:sqlstring})`;

/** Conditions of SQL for these variables. */
export const chosen = (...columns: string[]): string => columns.map(isChosen).join(' AND ');

/** Minutes or hours that reach into the time range: each is kept by its beginning. */
export const within = (column: 'minute' | 'hour'): string =>
  `${column} > $__timeFrom()::timestamptz - interval '1 ${column}' AND ${column} <= $__timeTo()::timestamptz`;
