/**
 * What Grafana makes of a query before a data source sees it, as its sources do it (grafana/scenes: variables and their
 * formats; the data sources of Prometheus, Loki and PostgreSQL: quoting and macros). In their order: the browser puts
 * variables in, quoted by the data source; the server then puts macros in, also where a value looked like one.
 */
export type Value = string | readonly string[];

/** What is chosen at the top. `$__all`: All. */
export type Choices = Readonly<Record<string, Value>>;

export interface Variable {
  name: string;
  multi?: boolean;
  includeAll?: boolean;
  allValue?: string;
}

export interface Span {
  fromMs: number;
  toMs: number;
  /** Between two points of a graph. */
  stepMs: number;
  /** Of the data source's settings. */
  scrapeMs: number;
}

type Format = (value: Value) => string;

const names = /\$(\w+)|\[\[(\w+?)(?::(\w+))?\]\]|\$\{(\w+)(?:\.([^:^}]+))?(?::([^}]+))?\}/g;

export interface Interpolation {
  variables: readonly Variable[];
  choices: Choices;
  span: Span;
}

/** Newer Grafana also writes a backslash before a double quote, which to PostgreSQL is a backslash. */
export type SqlQuoting = 'newer' | 'older';

export function promQl(expr: string, { variables, choices, span }: Interpolation): string {
  const put = withVariables(expr, variables, choices, (variable) => (value) => inPromQl(variable, value));
  return withTimes(put, span);
}

export function logQl(expr: string, { variables, choices, span }: Interpolation): string {
  const put = withVariables(expr, variables, choices, (variable) => (value) => inLogQl(variable, value));
  return withTimes(put.replaceAll('$__auto', duration(span.stepMs)), span);
}

export function sql(text: string, { variables, choices, span }: Interpolation, quoting: SqlQuoting = 'newer'): string {
  const put = withVariables(text, variables, choices, () => sqlString(quoting), { sqlstring: sqlString(quoting) });
  const from = new Date(span.fromMs).toISOString();
  const to = new Date(span.toMs).toISOString();
  return put
    .replaceAll('$__interval_ms', String(span.stepMs))
    .replaceAll('$__interval', duration(span.stepMs))
    .replaceAll(/\$([_a-zA-Z0-9]+)\(([^)]*)\)/g, (_, name: string, list: string) => {
      const [column = '', step = ''] = list.split(',').map((part) => part.trim());
      if (name === '__timeFrom') return `'${from}'`;
      if (name === '__timeTo') return `'${to}'`;
      if (name === '__timeFilter') return `${column} BETWEEN '${from}' AND '${to}'`;
      if (name !== '__timeGroupAlias') throw new Error(`unknown macro "${name}"`);
      const seconds = secondsOf(step.replaceAll("'", ''));
      return `floor(extract(epoch from ${column})/${seconds})*${seconds} AS "time"`;
    });
}

/** Variables that nobody knows stay as they are. */
function withVariables(
  text: string,
  variables: readonly Variable[],
  choices: Choices,
  unformatted: (variable: Variable) => Format,
  formats: Record<string, Format> = {},
): string {
  return text.replaceAll(
    names,
    (whole: string, plain?: string, _a?: string, _b?: string, braced?: string, _c?: string, format?: string) => {
      const variable = variables.find(({ name }) => name === (plain ?? braced));
      if (variable === undefined) return whole;
      const value = choices[variable.name];
      if (value === undefined) throw new Error(`nothing is chosen for ${variable.name}`);
      const isAll = value === '$__all' || value[0] === '$__all';
      if (isAll) {
        if (variable.allValue === undefined) throw new Error(`${variable.name} has no text for All`);
        return variable.allValue;
      }
      const formatted = format === undefined ? unformatted(variable) : formats[format];
      if (formatted === undefined) throw new Error(`${variable.name}: the format ${format} is not known here`);
      return formatted(value);
    },
  );
}

/** The classic way, which a Grafana has unless it is told otherwise. */
function inPromQl({ multi = false, includeAll = false }: Variable, value: Value): string {
  const regular = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll("'", "\\\\'");
  const special = (text: string): string =>
    text.replaceAll('\\', '\\\\\\\\').replaceAll(/[$^*{}[\]'+?.()|]/g, '\\\\$&');
  if (!multi && !includeAll) return [value].flat().map(regular).join('');
  if (typeof value === 'string') return special(value);
  const escaped = value.map(special);
  return escaped.length === 1 ? (escaped[0] ?? '') : `(${escaped.join('|')})`;
}

function inLogQl({ multi = false, includeAll = false }: Variable, value: Value): string {
  const special = (text: string): string =>
    text
      .replaceAll('\\', '\\\\\\\\')
      .replaceAll(/[$^*{}[\]+?.()|]/g, '\\\\$&')
      .replaceAll("'", "\\\\'");
  if (!multi && !includeAll) return [value].flat().join('');
  return [value].flat().map(special).join('|');
}

function sqlString(quoting: SqlQuoting): Format {
  const quoted = (text: string): string => {
    const paired = text.replaceAll("'", "''");
    return `'${quoting === 'newer' ? paired.replaceAll('"', '\\"') : paired}'`;
  };
  return (value) => [value].flat().map(quoted).join(',');
}

function withTimes(text: string, { fromMs, toMs, stepMs, scrapeMs }: Span): string {
  const rateMs = Math.max(stepMs + scrapeMs, 4 * scrapeMs);
  return text
    .replaceAll('$__rate_interval', duration(rateMs))
    .replaceAll('$__interval', duration(stepMs))
    .replaceAll('$__range', duration(toMs - fromMs));
}

const duration = (ms: number): string => (ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`);

function secondsOf(step: string): number {
  const [, count = '', unit = ''] = /^(\d+)(ms|s|m|h|d)$/.exec(step) ?? [];
  const factor = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 }[unit];
  if (factor === undefined) throw new Error(`error parsing interval ${step}`);
  return Number(count) * factor;
}
