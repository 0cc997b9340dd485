/** `edgeward plan`: flows gained and lost, between two directories and against what a service published. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { openPolicyCache } from '@edgeward/policy-cache';
import { createDirectoryReader } from '@edgeward/policy-source';
import { createLogger } from '@edgeward/runtime';
import t, { type Test } from 'tap';
import type { Plan } from '../src/policy/plan.ts';
import { examplePolicies, run } from './fixtures/run.ts';

/** A copy of the examples with this edit. */
function draft(t: Test, edit: (shop: string) => string): string {
  const dir = join(folder(t), 'policies');
  cpSync(examplePolicies, dir, { recursive: true });
  const file = join(dir, 'shop.yaml');
  const before = readFileSync(file, 'utf8');
  const after = edit(before);
  t.not(after, before, 'the edit changes something');
  writeFileSync(file, after);
  return dir;
}

function folder(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'edgeward-plan-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** An edgeward.yaml beside a state folder in which a service published the examples. */
async function published(t: Test, dir: string, revision: number | null, point = '{}'): Promise<string> {
  mkdirSync(join(dir, 'config'));
  const config = join(dir, 'config', 'edgeward.yaml');
  writeFileSync(config, `policies: ../policies\nstateDir: ../state\npoints:\n  edge-1: ${point}\n`);
  if (revision === null) return config;
  const { documents } = await createDirectoryReader(examplePolicies).read();
  const logger = createLogger({ level: 'silent' });
  const cache = await openPolicyCache({ dir: join(dir, 'state', 'cache'), logger });
  const lines = documents.map(({ value }) => JSON.stringify(value));
  await cache.saveSnapshot({ revision, contentHash: 'x', takenAtMs: Date.now() - 60_000, documents: lines });
  // It goes on holding the folder, as a service that runs.
  t.teardown(() => cache.close());
  return config;
}

const wider = (shop: string): string =>
  shop.replace('path: /v1/catalogue/*', 'path: /v1/*').replace('mode: observe', 'mode: enforce');
const narrower = (shop: string): string =>
  shop.replace(
    "- workloads: \"app == 'crm' && env == 'prod'\"\n    to: \"app == 'reports'\"",
    '- cidr: 127.0.10.4/31\n    to: "app == \'reports\'"',
  );

t.test('two directories: what each object gains and loses, and 3', async (t) => {
  const { code, out, err } = await run(['plan', draft(t, wider), '--from', examplePolicies]);
  t.strictSame([code, err], [3, '']);
  const [head = '', , size = '', ...lines] = out.split('\n');
  t.match(head, `${examplePolicies} → `);
  t.match(size, /^edge-1 {2}3 objects, 5 rules, 5 groups, 4 members, [\d,]+ → [\d,]+ bytes$/);
  t.strictSame(lines, [
    '  order-front  changed',
    '    gained  network branch-offices (127.0.30.0-127.0.30.65, 127.0.30.67-127.0.30.255)  tcp/80  GET /v1/*  by branch-catalogue',
    '  reports  changed',
    '    mode observe → enforce: what is denied no longer passes',
    '    no flow is gained or lost',
    '',
    '2 objects would change at 1 of 1 point: 1 gained, 0 lost.',
    '',
  ]);
});

t.test('equal directories: nothing, and 0', async (t) => {
  const dir = draft(t, (shop) => `# a comment\n${shop}`);
  const { code, out } = await run(['plan', dir, '--from', examplePolicies]);
  t.strictSame([code, out], [0, `${examplePolicies} → ${dir}\n\nNothing would change.\n`]);
});

t.test('against what is in force: the state folder is read beside the service that holds it', async (t) => {
  const dir = dirname(draft(t, narrower));
  const config = await published(t, dir, 7);
  const files = readdirSync(join(dir, 'state', 'cache'));
  const { code, out, err } = await run(['plan', '--config', config]);
  t.strictSame([code, err], [3, '']);
  t.match(out, /^revision 7, published 1m ago → .*policies\n/);
  t.match(out, '  reports  changed\n    mode observe, as before: everything passes, and denials are recorded\n');
  t.match(out, '    gained  127.0.10.4/31 (of it 127.0.10.5)  tcp/80  every request  by crm-reports\n');
  t.match(out, '\n1 object would change at 1 of 1 point: 1 gained, 0 lost.\n');
  t.strictSame(readdirSync(join(dir, 'state', 'cache')), files, 'nothing is written');
  t.equal((await run(['plan', examplePolicies, '--config', config])).code, 0, 'another directory in its place');
});

t.test('before anything is in force everything is gained; points of others are left out and counted', async (t) => {
  const dir = dirname(draft(t, (shop) => shop.replace(/point: edge-1\nbind: reports/, 'point: edge-2\nbind: reports')));
  const { code, out } = await run(['plan', '--config', await published(t, dir, null), '--json']);
  t.equal(code, 3);
  const plan = JSON.parse(out) as Plan;
  t.match(plan, {
    from: null,
    changes: true,
    others: ['edge-2'],
    compared: 1,
    totals: { points: 1, objects: 2, lost: 0 },
    points: [{ point: 'edge-1', before: null, after: { objects: 2, rules: 4 }, limits: [] }],
  });
  t.match(plan.points[0]?.objects[1]?.gained[1], {
    by: 'allow',
    cause: 'rule',
    source: { kind: 'workloads', text: 'app=crm,env=prod within 127.0.10.0/24', whole: true },
    ports: ['tcp/80'],
    rules: ['crm-orders'],
  });
});

t.test('every way to ask wrongly, and every policy that would be refused', async (t) => {
  const bad = draft(t, (shop) => shop.replace('network: branch-offices', 'network: nowhere'));
  const failing = draft(t, (shop) => shop.replace('expect: deny', 'expect: allow'));
  const damaged = t.testdir({ state: { cache: { 'snapshot.ndjson': 'half' } } });
  cpSync(examplePolicies, join(damaged, 'policies'), { recursive: true });
  const cases: [string[], number, RegExp][] = [
    [['--from', examplePolicies], 2, /EDW_ERR_USAGE: --from needs the directory/],
    [[examplePolicies, '--from', examplePolicies, '--config', 'x'], 2, /can't be given together/],
    [[bad, '--from', examplePolicies], 3, /EDW_ERR_POLICY_INVALID/],
    [[examplePolicies, '--from', bad], 3, /EDW_ERR_POLICY_INVALID/],
    [[failing, '--from', examplePolicies], 3, /EDW_ERR_TEST_FAILED/],
    [[join(bad, 'nowhere'), '--from', examplePolicies], 78, /EDW_ERR_POLICY_DIR/],
    [['--config', join(bad, 'none.yaml')], 78, /EDW_ERR_CONFIG_FILE/],
    [['--config', await published(t, damaged, null)], 78, /EDW_ERR_STATE_READ/],
  ];
  for (const [args, exit, says] of cases) {
    const { code, err } = await run(['plan', ...args]);
    t.equal(code, exit, args.join(' '));
    t.match(err, says, args.join(' '));
  }
});

t.test('a long plan is cut, and --all shows the rest', async (t) => {
  const workloads = Array.from(
    { length: 30 },
    (_, i) => `{kind: Workload, name: w-${i}, labels: {app: a}, addresses: [10.0.${i}.1]}`,
  );
  const rules = Array.from({ length: 15 }, (_, i) => `{id: r-${i}, from: [{cidr: 10.1.${i * 2}.0/24}], to: all()}`);
  const documents = [
    ...workloads,
    '{kind: VirtualServer, name: front, labels: {app: shop}, point: edge-1, bind: front, ports: [tcp/443]}',
    `{kind: Policy, name: p, rules: [${rules.join(', ')}, {id: all, from: [{workloads: "app == 'a'"}], to: all()}]}`,
  ];
  const dir = t.testdir({
    old: { 'a.yaml': documents.slice(0, 31).join('\n---\n') },
    new: { 'a.yaml': documents.join('\n---\n') },
  });
  const args = ['plan', join(dir, 'new'), '--from', join(dir, 'old')];
  const short = (await run(args)).out;
  t.match(short, 'gained  … and 6 more; --all shows them');
  t.notMatch(short, 'w-29');
  const long = (await run([...args, '--all'])).out;
  t.match(long, 'app=a (30 workloads: w-0 10.0.0.1, ');
  t.match(long, 'w-29 10.0.29.1)');
  t.notMatch(long, 'more');
});

t.test('what a point in reload mode can not judge is told, with object and rule, and 3', async (t) => {
  const dir = folder(t);
  cpSync(examplePolicies, join(dir, 'policies'), { recursive: true });
  const config = await published(t, dir, 7, '{ mode: reload }');
  const { code, out } = await run(['plan', '--config', config]);
  t.equal(code, 3);
  t.match(
    out,
    /^order-front {2}refused {2}EDW_ERR_NGINX_NEEDS_NJS {2}rule crm-orders: it has HTTP conditions.*edge-1 would keep/m,
  );
  t.match(out, /Nothing would change\./);
  const { refusals } = JSON.parse((await run(['plan', '--config', config, '--json'])).out) as Plan;
  t.ok(
    refusals.some(({ point, object, rule }) => point === 'edge-1' && object === 'order-front' && rule === 'crm-orders'),
  );
});
