/** What Grafana is provisioned with: it can be read, names nothing of a place, and fits the dashboards and the page. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { yamlDocuments } from '@edgeward/policy-source';
import t from 'tap';
import { committed, panelsOf } from './committed.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const page = readFileSync(`${root}docs/grafana.md`, 'utf8');

interface Provisioned {
  apiVersion: number;
  datasources?: { uid: string; name: string; type: string; url: string; secureJsonData?: Record<string, string> }[];
  providers?: { type: string; allowUiUpdates: boolean; options: { path: string } }[];
}

function provisioned(kind: string): Provisioned {
  const text = readFileSync(`${root}grafana/provisioning/${kind}/edgeward.yaml`, 'utf8');
  const { documents, findings } = yamlDocuments(text, `${kind}.yaml`);
  if (findings.length > 0) throw new Error(JSON.stringify(findings));
  return documents[0]?.value as Provisioned;
}

t.test('there is a data source of every kind that a dashboard asks, and no place or secret in any', async (t) => {
  const { apiVersion, datasources = [] } = provisioned('datasources');
  t.equal(apiVersion, 1);
  const asked = Object.values(committed('provisioned')).flatMap(({ templating }) =>
    templating.list.filter(({ type }) => type === 'datasource').map(({ query }) => query),
  );
  t.strictSame(datasources.map(({ type }) => type).sort(), [...new Set(asked)].sort());
  for (const [name, { templating }] of Object.entries(committed('provisioned')))
    for (const { type, query, current } of templating.list) {
      const given = datasources.find((source) => source.type === query);
      if (type === 'datasource')
        t.strictSame(current, { text: given?.name, value: given?.uid }, `${name}: chosen at first`);
    }
  for (const { uid, url, secureJsonData = {} } of datasources) {
    t.match(url, /^\$EDGEWARD_[A-Z_]+$/, uid);
    for (const secret of Object.values(secureJsonData))
      t.match(secret, /^\$__file\{\/etc\/grafana\/edgeward\/[a-z-]+\}$/, uid);
  }
});

t.test('dashboards lie where the page says, and nobody changes them in place', async (t) => {
  const { providers = [] } = provisioned('dashboards');
  t.equal(providers.length, 1);
  t.match(providers[0], { type: 'file', allowUiUpdates: false });
  t.ok(page.includes(`\`${providers[0]?.options.path}\``));
});

t.test('there is nothing else, and no second alert of what Prometheus watches', async (t) => {
  t.strictSame(readdirSync(`${root}grafana/provisioning`).sort(), ['alerting', 'dashboards', 'datasources']);
  t.same(provisioned('alerting'), { apiVersion: 1 });
});

t.test('the page has every row of the dashboard of denials, its variables, and the addresses of all', async (t) => {
  const models = committed('provisioned');
  const { denials } = models;
  const rows = denials?.panels.filter(({ type }) => type === 'row') ?? [];
  const titles = rows.map(({ title }) => title.replace(/ \(PostgreSQL\)$/, ''));
  const section = page.slice(page.indexOf('**Denials**, open all day'), page.indexOf('**Fleet**'));
  t.strictSame(
    [...section.matchAll(/^\| (?!row |---)([^|]+?) \|/gm)].map(([, title]) => title),
    titles,
  );
  for (const { label, type } of denials?.templating.list ?? [])
    if (type !== 'datasource') t.ok(page.includes(`**${label}**`), label);
  for (const { uid } of Object.values(models)) t.ok(page.includes(`/d/${uid}`), uid);
});

t.test('what the page names of a dashboard is there', async (t) => {
  const titles = Object.values(committed('provisioned')).flatMap((model) => panelsOf(model).map(({ title }) => title));
  for (const title of ['Enforced, not logged', 'Alerts that fire', 'What was missing', 'Labels of the denied'])
    t.ok(titles.includes(title) && page.includes(`*${title}*`), title);
});
