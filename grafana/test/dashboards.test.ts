/** The dashboards as files: they are what the code makes, they keep the linter's rules, and they ask for nothing that is not there. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { dashboardFiles } from '@edgeward/grafana';
import t from 'tap';
import { committed, folder, listQueries, type Panel, panelsOf, queries } from './committed.ts';
import { type Finding, lintDashboard, lintQuery } from './lint.ts';
import { selectorsOf } from './syntax-tree.ts';

t.test('what is committed is what the code makes, and nothing else is there', async (t) => {
  const files = dashboardFiles();
  const there = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.json'));
  t.strictSame(there.sort(), files.map(({ path }) => path).sort());
  for (const { path, text } of files)
    t.ok(readFileSync(join(folder, path), 'utf8') === text, `npm run dashboards: ${path}`);
});

interface Exclusion {
  rule: string;
  /** Part of where it was found, and of what. */
  where: string;
  what?: string;
  reason: string;
}

const exclusions: Exclusion[] = [
  {
    rule: 'template-datasource-rule',
    where: 'postgres_datasource',
    reason: 'the plugin is called grafana-postgresql-datasource, and a variable of that name twice over helps nobody',
  },
  ...['target-job-rule', 'target-instance-rule'].map((rule) => ({
    rule,
    where: 'Alerts that fire',
    what: 'ALERTS',
    reason: 'alerts of sums have neither job nor instance, and must not be left out for that',
  })),
  ...['observed_denials_total', 'ledger_denials_total'].map((metric) => ({
    rule: 'target-counter-agg-rule',
    where: '',
    what: `${metric} in `,
    reason: 'the books compare what is counted over all lives of a point, not how fast it grows',
  })),
  ...['min_over_time', 'last_over_time'].map((call) => ({
    rule: 'target-counter-agg-rule',
    where: '',
    what: `in ${call}`,
    reason: 'what a series began with, which increase leaves out: the first denial of a kind',
  })),
];

t.test('the rules of dashboard-linter hold, but for exclusions that each have a reason', async (t) => {
  const findings = [...Object.values(committed('provisioned')).flatMap(lintDashboard), ...queries().flatMap(lintQuery)];
  const excludes = ({ rule, where, what = '' }: Exclusion, finding: Finding): boolean =>
    finding.rule === rule && finding.where.includes(where) && finding.what.includes(what);
  t.strictSame(
    findings.filter((finding) => !exclusions.some((one) => excludes(one, finding))),
    [],
  );
  for (const one of exclusions)
    t.ok(
      findings.some((finding) => excludes(one, finding)),
      `needed: ${one.rule} ${one.what ?? ''}`,
    );
});

t.test('a rule of the linter finds what it is there for', async (t) => {
  const [query] = queries();
  if (query === undefined) throw new Error('there are queries');
  const rulesOf = (text: string, kind: 'promql' | 'logql' = 'promql'): string[] => [
    ...new Set(lintQuery({ ...query, kind, text }).map(({ rule }) => rule)),
  ];
  const our = 'job=~"$job", instance=~"$instance"';
  t.strictSame(rulesOf(`sum(rate(a_total{${our}}[$__rate_interval]))`), []);
  t.strictSame(rulesOf(`rate(a_total{${our}}[5m])`), ['target-rate-interval-rule']);
  t.strictSame(rulesOf(`sum(a_total{${our}})`), ['target-counter-agg-rule']);
  t.strictSame(rulesOf('a{job=~"$job"}'), ['target-instance-rule']);
  t.strictSame(rulesOf('a{instance=~"$instance"}'), ['target-job-rule']);
  t.strictSame(rulesOf(`sum(a{${our}}`), ['target-promql-rule']);
  t.strictSame(rulesOf('sum(count_over_time({job="a"} [5m]))', 'logql'), ['target-logql-auto-rule']);
  t.strictSame(rulesOf('{job="a"} | |', 'logql'), ['target-logql-rule']);
});

/** Prometheus makes it itself, of the rules that it has. */
const ofPrometheus = ['ALERTS'];

t.test('every metric that a dashboard asks for is documented', async (t) => {
  const page = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8');
  const documented = new Set([...page.matchAll(/^\| `([a-z_]+)` \|/gm)].map(([, name]) => name));
  const isKnown = (metric: string): boolean =>
    documented.has(metric) || documented.has(metric.replace(/_bucket$/, '')) || ofPrometheus.includes(metric);
  const ofEveryProcess = /^(process|nodejs)_/;
  const asked = [
    ...queries()
      .filter(({ kind }) => kind === 'promql')
      .map(({ name, text }) => ({ name, text })),
    ...listQueries().map(({ name, series }) => ({ name, text: series })),
  ];
  t.ok(asked.length > 60, 'queries were found');
  const unknown = asked.flatMap(({ name, text }) =>
    selectorsOf(text.replaceAll(/\$__\w+/g, '1m'))
      .filter(({ metric }) => !isKnown(metric) && !ofEveryProcess.test(metric))
      .map(({ metric }) => `${name}: ${metric}`),
  );
  t.strictSame(unknown, []);
});

t.test('panels have numbers of their own, lie on the grid, and none on another', async (t) => {
  for (const [name, model] of Object.entries(committed('provisioned'))) {
    const ids = model.panels.flatMap((panel) => [panel.id, ...(panel.panels ?? []).map(({ id }) => id)]);
    t.strictSame(
      ids,
      ids.map((_, index) => index + 1),
      `${name}: from 1`,
    );
    const rows = [model.panels, ...model.panels.map(({ panels = [] }) => panels)];
    for (const panels of rows) t.strictSame(overlaps(panels), [], name);
    for (const { title, gridPos } of panelsOf(model))
      t.ok(gridPos.x + gridPos.w <= 24, `${name}: ${title} is on the grid`);
  }
});

function overlaps(panels: readonly Panel[]): string[] {
  return panels.flatMap((a, index) =>
    panels
      .slice(index + 1)
      .filter((b) => meet(a.gridPos, b.gridPos))
      .map((b) => `${a.title} and ${b.title}`),
  );
}

const meet = (a: Panel['gridPos'], b: Panel['gridPos']): boolean =>
  a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;

t.test('a link leads to a dashboard that is there, with variables and fields that are there', async (t) => {
  const models = Object.values(committed('provisioned'));
  let seen = 0;
  for (const model of models) {
    const own = model.templating.list.map(({ name }) => name);
    for (const panel of panelsOf(model)) {
      const columns = panel.fieldConfig?.overrides.map(({ matcher }) => matcher.options) ?? [];
      for (const url of linksOf(panel)) {
        seen += 1;
        const target = models.find(({ uid }) => url.startsWith(`/d/${uid}?`));
        t.ok(target, url);
        const there = target?.templating.list.map(({ name }) => name) ?? [];
        const given = [...url.matchAll(/var-(\w+)=/g)].map(([, name = '']) => name);
        t.strictSame(
          given.filter((name) => !there.includes(name)),
          [],
          `${panel.title}: variables of ${url}`,
        );
        const passedOn = [...url.matchAll(/\$\{(\w+):queryparam\}/g)].map(([, name = '']) => name);
        t.strictSame(
          passedOn.filter((name) => !own.includes(name)),
          [],
          `${panel.title}: passed on by ${url}`,
        );
        const fields = [...url.matchAll(/\$\{__data\.fields\.(\w+):percentencode\}/g)].map(([, name = '']) => name);
        t.strictSame(
          fields.filter((name) => !columns.includes(name)),
          [],
          `${panel.title}: columns of ${url}`,
        );
      }
    }
  }
  t.ok(seen > 10, 'links were found');
});

function linksOf({ fieldConfig }: Panel): string[] {
  const overridden = fieldConfig?.overrides.flatMap(({ properties }) => properties) ?? [];
  return overridden
    .filter(({ id }) => id === 'links')
    .flatMap(({ value }) => (value as { url: string }[]).map(({ url }) => url));
}

t.test('no dashboard names a data source; the form to upload asks for those that everybody has', async (t) => {
  for (const form of ['provisioned', 'import'] as const)
    for (const [name, model] of Object.entries(committed(form))) {
      const uids = [...JSON.stringify(model).matchAll(/"uid":"([^"]*)"/g)].map(([, uid]) => uid);
      const foreign = uids.filter(
        (uid) => uid !== model.uid && !/^\$\{(prometheus|postgres|loki)_datasource\}$/.test(uid ?? ''),
      );
      t.strictSame(foreign, [], `${form} ${name}`);
    }
  for (const [name, model] of Object.entries(committed('import'))) {
    const inputs = model.__inputs ?? [];
    const sources = model.templating.list.filter(({ type }) => type === 'datasource');
    for (const input of inputs) {
      const variable = sources.find(({ query }) => query === input.pluginId);
      t.equal(variable?.current.value, `\${${input.name}}`, `${name}: ${input.name} is what the variable begins with`);
    }
    t.strictSame(
      inputs.map(({ name }) => name),
      name === 'denials' ? ['DS_PROMETHEUS', 'DS_POSTGRES'] : ['DS_PROMETHEUS'],
      name,
    );
    const { __inputs, __requires, ...rest } = model as unknown as Record<string, unknown>;
    const provisioned = committed('provisioned')[name];
    t.strictSame(Object.keys(rest), Object.keys(provisioned ?? {}), `${name}: else they are the same`);
  }
});
