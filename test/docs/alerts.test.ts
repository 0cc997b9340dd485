/** docs/alerts.md against the rules of Prometheus, in both directions. */
import { readdirSync } from 'node:fs';
import t from 'tap';
import { page, tableRows } from './markdown.ts';

const folder = new URL('../../grafana/alerts/', import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith('.rules.yaml'));
const rules = files.map((name) => page(`grafana/alerts/${name}`).replaceAll(/^ *#.*$/gm, '')).join('');
const text = page('docs/alerts.md');
const alerts = rules
  .split(/^ {6}- alert: /m)
  .slice(1)
  .map((body) => ({
    name: body.slice(0, body.indexOf('\n')),
    severity: /severity: (\w+)/.exec(body)?.[1] ?? '',
    for: /^ {8}for: (\w+)$/m.exec(body)?.[1] ?? null,
  }));

t.test('every alert has a section, in the order of the rules, and no other has', async (t) => {
  const headings = [...text.matchAll(/^### (\w+)$/gm)].map(([, name]) => name);
  t.ok(alerts.length > 35, 'the rules were read');
  t.strictSame(
    headings,
    alerts.map(({ name }) => name),
  );
});

t.test('a section begins with how bad it is', async (t) => {
  for (const { name, severity } of alerts) {
    const section = text.slice(text.indexOf(`### ${name}\n`));
    t.match(section, new RegExp(`^### ${name}\\n\\n\\*\\*${severity}\\*\\*`, 'i'), name);
  }
});

t.test('an alert asks only for metrics that exist', async (t) => {
  const known = new Set(
    tableRows(page('docs/metrics.md'), ['name', 'type', 'labels', 'meaning']).map(([name]) => name),
  );
  const asked = [...rules.matchAll(/(?<![:\w])(edgeward_[a-z_]+)\b(?![:\w])/g)].map(([, name]) => name);
  t.ok(asked.length > 30, 'the rules were read');
  t.strictSame(
    asked.filter((name) => !known.has(name)),
    [],
  );
});
