/** `edgeward check` and `edgeward test`: what is found, where, and what the process ends with. */
import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Finding } from '@edgeward/policy';
import t from 'tap';
import { examplePolicies, run, start } from './fixtures/run.ts';

const server = (name: string, more = ''): string =>
  `kind: VirtualServer\nname: ${name}\nlabels: { app: ${name} }\npoint: edge-1\nbind: ${name}\nports: [tcp/80]\n${more}`;

const workload = 'kind: Workload\nname: crm-1\nlabels: { app: crm }\naddresses: [127.0.10.4]\n';

const policy = (rule: string, tests = ''): string => `kind: Policy\nname: p\nrules:\n  - id: r\n${rule}${tests}`;

const rule = `    from: [{ workloads: "app == 'crm'" }]\n    to: "app == 'shop'"\n`;

interface Checked {
  findings: Finding[];
  errors: number;
  warnings: number;
  files: number;
  objects: number;
  rules: number;
  complete: boolean;
}

async function check(dir: string): Promise<Checked & { code: number }> {
  const { code, out } = await run(['check', dir, '--json']);
  return { code, ...(JSON.parse(out) as Checked) };
}

const short = (found: readonly Finding[]): string[] => found.map((it) => `${it.file}:${it.line} ${it.code}`);

t.test('the example policies have no findings and pass their tests', async (t) => {
  t.match(await check(examplePolicies), { code: 0, findings: [], errors: 0, warnings: 0, objects: 3, complete: true });
  const { code, out } = await run(['test', examplePolicies]);
  t.equal(code, 0);
  t.match(out, /\n\d+ passed, 0 failed\n$/);
});

t.test('everything that is wrong is found at once, with its place', async (t) => {
  const dir = t.testdir({
    'a.yaml': `${server('shop', 'prots: []\n')}---\n${server('db', 'protocol: tcp\n')}`,
    'b.yaml': `${server('shop')}---\n${workload}`,
    'c.yaml': policy(
      `    from: [{ network: nowhere }]\n    to: "has(app)"\n    services: [nothing]\n    http: [{ path: /x }]\n`,
    ),
  });
  const { code, findings, errors, complete } = await check(dir);
  t.equal(code, 3);
  t.equal(complete, true);
  t.strictSame(short(findings.filter(({ severity }) => severity === 'error')), [
    'a.yaml:7 EDW_ERR_UNKNOWN_KEY',
    'b.yaml:2 EDW_ERR_DUPLICATE_NAME',
    'c.yaml:5 EDW_ERR_UNKNOWN_NETWORK',
    'c.yaml:7 EDW_ERR_UNKNOWN_SERVICE',
    'c.yaml:8 EDW_ERR_HTTP_ON_CONNECTION',
  ]);
  t.equal(errors, findings.filter(({ severity }) => severity === 'error').length);
  for (const { mend, column } of findings) t.ok(mend.length > 10 && column > 0);
});

t.test('what only follows from another finding is not reported beside it', async (t) => {
  const tables: [string, Record<string, string>, string[], boolean][] = [
    [
      'a selector that cannot be read selects nothing either',
      {
        'a.yaml': `${server('shop')}---\n${workload}---\n${policy(`    from: [{ workloads: "app = 'crm'" }]\n    to: "app ==="\n`)}`,
      },
      ['a.yaml:17 EDW_ERR_SELECTOR', 'a.yaml:18 EDW_ERR_SELECTOR'],
      true,
    ],
    [
      'a file that cannot be read may hold what selectors mean',
      { 'a.yaml': `kind: [\n`, 'b.yaml': policy(rule) },
      ['a.yaml:2 EDW_ERR_YAML_SYNTAX'],
      false,
    ],
    [
      'a kind that nobody knows may too',
      { 'a.yaml': 'kind: Server\n', 'b.yaml': policy(rule) },
      ['a.yaml:1 EDW_ERR_UNKNOWN_KIND'],
      false,
    ],
    [
      'when everything could be read it is told',
      { 'a.yaml': workload, 'b.yaml': policy(rule) },
      ['b.yaml:6 EDW_ERR_TO_NOTHING'],
      true,
    ],
  ];
  for (const [name, files, expected, complete] of tables) {
    const found = await check(t.testdir(files));
    t.strictSame(short(found.findings), expected, name);
    t.equal(found.complete, complete, name);
    t.equal(found.code, 3, name);
  }
});

t.test('warnings never change the exit code', async (t) => {
  const dir = t.testdir({
    'a.yaml': `${server('shop')}---\n${workload}---\n${policy(rule.replace("app == 'crm'", "app != 'dev'"))}`,
    'old.yml': '',
  });
  const { code, findings, errors, warnings } = await check(dir);
  t.strictSame([code, errors, warnings], [0, 0, 2]);
  t.strictSame(short(findings), ['a.yaml:17 EDW_WARN_NEGATION', 'old.yml:1 EDW_WARN_FILE_IGNORED']);
});

t.test('a finding says where, what and how to mend it; a summary comes last', async (t) => {
  const dir = t.testdir({ 'a.yaml': server('shop', 'prots: []\n') });
  const { code, out, err } = await run(['check', dir]);
  t.equal(code, 3);
  t.equal(err, '');
  const [place, mend, summary] = out.split('\n');
  t.equal(
    place,
    `${dir}/a.yaml:7:1  error  EDW_ERR_UNKNOWN_KEY  unknown key 'prots' in the document; did you mean 'ports'?`,
  );
  t.match(mend, /^ {4}\S/);
  t.equal(summary, '1 error, no warnings in 1 file, 1 object, no rules');
});

t.test('names and contents of files never reach the terminal as they are', async (t) => {
  const dir = t.testdir();
  writeFileSync(join(dir, 'e\x1b[2Jvil.yaml'), 'kind: "\\e[31mred"\n"k\\u202e": 1\n');
  const { code, out } = await run(['check', dir]);
  t.equal(code, 3);
  t.match(out, 'e\\x1b[2Jvil.yaml:1:');
  t.notMatch(out.replaceAll('\n', ''), /[\p{Cc}\p{Cf}]/u);
});

t.test('a directory that is not there, or is none, ends with 78; an empty one says that it is empty', async (t) => {
  const dir = t.testdir({ file: '', empty: {} });
  symlinkSync('nowhere', join(dir, 'link'));
  for (const name of ['missing', 'file', 'link', '/dev/null']) {
    const { code, out, err } = await run(['check', name.startsWith('/') ? name : join(dir, name)]);
    t.equal(code, 78, name);
    t.equal(out, '', name);
    t.match(err, /^error EDW_ERR_POLICY_DIR: reading the policy directory .*\n {2}Check that it is/, name);
  }
  const { code, out, err } = await run(['check', join(dir, 'empty')]);
  t.strictSame([code, out], [0, 'no errors, no warnings in no files, no objects, no rules\n']);
  t.match(err, /no \*\.yaml and no \*\.ndjson/);
});

t.test('test tells what was expected, what came, and why', async (t) => {
  const tests = `tests:
  - { from: 127.0.10.4, to: shop, port: tcp/80, expect: deny }
  - { from: 127.0.10.4, to: shop, port: tcp/80, expect: allow }
  - { from: 127.0.10.5, to: shop, port: tcp/80, request: GET /x, expect: allow }
`;
  const dir = t.testdir({ 'a.yaml': `${server('shop')}---\n${workload}---\n${policy(rule, tests)}` });
  const { code, out } = await run(['test', dir]);
  t.equal(code, 3);
  t.match(out, `FAIL  ${dir}/a.yaml:20  127.0.10.4 → shop tcp/80: expected deny, got allow\n      ALLOW 127.0.10.4`);
  t.match(out, `ok    ${dir}/a.yaml:21  `);
  t.match(out, '\n1 passed, 2 failed\n');
  const json = await run(['test', dir, '--json']);
  t.equal(json.code, 3);
  t.match(JSON.parse(json.out), {
    passed: 1,
    failed: 2,
    results: [{ policy: 'p', expect: 'deny', got: { verdict: 'allow', rule: 'r' }, passed: false, line: 20 }, {}, {}],
  });
});

t.test('a policy with errors is judged by nobody: findings on stderr, 3', async (t) => {
  const dir = t.testdir({ 'a.yaml': server('shop', 'prots: []\n') });
  const flow = ['--from', '127.0.0.1', '--to', 'shop', '--port', 'tcp/80'];
  const asking = [
    ['test', dir],
    ['explain', dir, ...flow],
    ['explain', dir, '--flows', '-'],
    ['compile', dir, '--point', 'edge-1', '--out', '-'],
  ];
  for (const args of asking) {
    const name = args.join(' ');
    const human = await run(args);
    t.strictSame([human.code, human.out], [3, ''], name);
    t.match(human.err, /a\.yaml:7:1 {2}error {2}EDW_ERR_UNKNOWN_KEY[\s\S]*\nerror EDW_ERR_POLICY_INVALID: /, name);
    const json = await run([...args, '--json']);
    t.equal(json.code, 3, name);
    t.match(JSON.parse(json.out), { error: { code: 'EDW_ERR_POLICY_INVALID' }, findings: [{ line: 7 }] }, name);
  }
});

t.test('the process ends as its command does', async (t) => {
  const dir = t.testdir({ 'a.yaml': server('shop', 'prots: []\n') });
  t.match(await start(t, ['check', dir]).ended, { code: 3, err: '' });
  t.match(await start(t, ['test', examplePolicies]).ended, { code: 0, err: '' });
});
