/** The rules by Prometheus' own promtool, and what every alert must carry. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runProgram } from '@edgeward/debian-packages';
import { requirePrometheus } from '@edgeward/test/kit';
import t, { type Test } from 'tap';

const folder = new URL('../../alerts/', import.meta.url);
const text = (file: string): string => readFileSync(new URL(file, folder), 'utf8');
const { promtool } = await requirePrometheus(t);

async function says(t: Test, words: readonly string[]): Promise<void> {
  const [program = '', ...args] = promtool;
  const run = await runProgram(program, [...args, ...words], { timeoutMs: 300_000, env: { GOMAXPROCS: '1' } });
  t.match(run, { code: 0 }, `${run.stdout}${run.stderr}`.slice(0, 4000));
}

const files = readdirSync(folder).filter((name) => name.endsWith('.rules.yaml'));
const alerts = files
  .map(text)
  .join('')
  .split(/^ {6}- alert: /m)
  .slice(1)
  .map((body) => ({ name: body.slice(0, body.indexOf('\n')), body }));
const tests = readdirSync(folder).filter((name) => name.endsWith('.test.yaml'));

t.test('Prometheus reads the rules', (t) =>
  says(t, ['check', 'rules', ...files.map((name) => fileURLToPath(new URL(name, folder)))]),
);

for (const name of tests) {
  t.test(`${name}: alerts fire, and not too early`, (t) =>
    says(t, ['test', 'rules', fileURLToPath(new URL(name, folder))]),
  );
}

t.test('every alert is seen to fire, and not to fire', async (t) => {
  const expected = /alertname="(\w+)".*\n +eval_time: .*\n +exp_samples: (\[.*\])/g;
  const seen = tests.flatMap((name) => [...text(name).matchAll(expected)]);
  t.ok(alerts.length > 35, 'the rules were read');
  for (const { name } of alerts) {
    const outcomes = new Set(seen.filter(([, alert]) => alert === name).map(([, , samples]) => samples !== '[]'));
    t.strictSame(outcomes, new Set([true, false]), name);
  }
  const names = new Set(alerts.map(({ name }) => name));
  t.strictSame(
    seen.filter(([, alert = '']) => !names.has(alert)),
    [],
    'and no other is tried',
  );
});

t.test('every alert says how bad it is, what it is, and where to read on', async (t) => {
  for (const { name, body } of alerts) {
    t.match(body, /^ {8}labels: \{ severity: (critical|warning|info) \}$/m, name);
    t.match(body, /^ {10}summary: '.{15,120}'$/m, name);
    t.match(body, /^ {10}description: '.{30,}'$/m, name);
    t.match(body, new RegExp(`^ {10}runbook: docs/alerts\\.md#${name.toLowerCase()}$`, 'm'), name);
  }
});
