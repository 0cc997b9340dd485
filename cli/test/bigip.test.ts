/** `edgeward bigip …` against a simulated BIG-IP: what is said, what is written, and what it ends with. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createIcontrol, type Icontrol } from '@edgeward/f5-irules';
import { createLogger } from '@edgeward/runtime';
import t, { type Test } from 'tap';
import { customers, orders, type Place, type PlaceOptions, place, readers, virtualServer } from './fixtures/bigip.ts';
import { documentsIn, run } from './fixtures/run.ts';

const policy = orders + readers('{ cidr: 10.1.0.0/16 }, { cidr: 10.3.0.0/16 }');
const L4 = '/Edgeward/eg_enforce_l4_v1';
const L7 = '/Edgeward/eg_enforce_l7_v1';
const partition = 'auth partition Edgeward { }\n';
/** Nothing of it may reach a terminal as it is. */
const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

const writesOf = (at: Place): string[] =>
  at
    .calls()
    .filter(({ method }) => method !== 'GET')
    .map(({ method, path }) => `${method} ${path}`);

t.test('from an empty partition to enforcement', async (t) => {
  const at = await place(t, { policy });
  const empty = await at.bigip('plan');
  t.equal(empty.code, 3);
  t.match(empty.out, /no policy → revision 1\n/);
  t.match(empty.out, /\/Common\/vs_orders {2}orders {2}new\n {2}mode enforce, protocol http\n/);
  t.match(empty.out, /gained {2}10\.1\.0\.0\/16, 10\.3\.0\.0\/16 {2}tcp\/443 {2}GET \/v1\/orders\/\*\n/);
  t.match(empty.out, /1 of 1 virtual server would change\.\n$/);
  t.match(await at.bigip('verify'), { code: 3, out: /differs {2}no-policy[\s\S]*rule-missing/ });
  t.match(await at.bigip('attach', '/Common/vs_orders'), { code: 3, err: /EDW_ERR_BIGIP_NO_RULES/ });

  await at.apply(1);
  t.match(await at.bigip('plan'), { code: 0, out: /Nothing would change\.\n$/ });
  t.match(await at.bigip('verify'), { code: 3, out: /differs {2}not-attached[\s\S]*: 1 difference, with 1 hazard/ });
  at.calls();
  const dry = await at.bigip('attach', '/Common/vs_orders', '--dry-run');
  t.strictSame([dry.code, writesOf(at)], [0, []]);
  t.match(dry.out, /would be attached\n {2}before {2}\/Common\/customers_rule\n/);
  t.match(dry.out, `  after   ${L4}\n          ${L7}\n          /Common/customers_rule\n`);
  t.match(dry.out, /warning {2}its mode is enforce[\s\S]*Nothing was written\.\n$/);

  const done = await at.bigip('attach', '/Common/vs_orders');
  t.match(done, { code: 0, out: /is attached\n[\s\S]*Saved on bigip-a\.example\.\n$/, err: '' });
  t.strictSame(writesOf(at), ['PATCH /mgmt/tm/ltm/virtual/~Common~vs_orders', 'POST /mgmt/tm/sys/config']);
  t.match(await at.bigip('attach', '/Common/vs_orders'), { code: 0, out: /is attached already\n/ });
  t.strictSame(writesOf(at), []);
  t.match(await at.bigip('verify'), { code: 0, out: /revision 1: holds what the policy says, with 1 hazard/ });
  t.match(await at.bigip('verify', '--strict'), { code: 3, out: /hazard {2}audit-publisher-missing/ });

  at.write(orders.replace('enforce', 'observe') + readers('{ cidr: 10.1.0.0/17 }, { cidr: 10.2.0.0/16 }'));
  const changed = await at.bigip('plan');
  t.equal(changed.code, 3);
  t.match(changed.out, /revision 1 → revision 2/);
  t.match(changed.out, /mode enforce → observe: everything passes, and denials are recorded\n/);
  t.match(changed.out, /gained {2}10\.2\.0\.0\/16 {2}tcp\/443/);
  t.match(changed.out, /lost {4}10\.1\.128\.0\/17, 10\.3\.0\.0\/16 {2}tcp\/443/);
  t.match(await at.bigip('detach', '/Common/vs_orders'), { code: 0, out: /is detached\n[\s\S]*warning/ });
});

t.test('with --json each prints one document', async (t) => {
  const at = await place(t, { policy });
  await at.apply(1);
  const rows: [string[], number, Record<string, unknown>][] = [
    [['discover'], 0, { point: 'bigip-1', virtuals: [{ name: 'vs_fast' }, { name: 'vs_ssh' }], file: null }],
    [['plan'], 0, { changes: false, calls: [], objects: [{ change: 'same' }] }],
    [['verify'], 3, { verified: false, revision: 1, differences: [{ code: 'not-attached' }] }],
    [['attach', '/Common/vs_orders', '--dry-run'], 0, { dryRun: true, changes: [{ virtual: '/Common/vs_orders' }] }],
    [['attach', '/Common/vs_orders'], 0, { dryRun: false, sync: 'alone', changes: [{ mode: 'enforce' }] }],
    [['verify'], 0, { verified: true, hazards: [{ code: 'audit-publisher-missing' }] }],
    [['detach', '/Common/vs_orders'], 0, { changes: [{ after: ['/Common/customers_rule'] }] }],
    [['attach', '/Common/nope'], 3, { error: { code: 'EDW_ERR_BIGIP_VIRTUAL' } }],
  ];
  for (const [args, code, expected] of rows) {
    const said = await at.bigip(...args, '--json');
    t.strictSame([said.code, said.err], [code, ''], args.join(' '));
    const [document, ...more] = documentsIn(said.out);
    t.match(document, expected, args.join(' '));
    t.strictSame(more, []);
  }
});

t.test('what is discovered is what `edgeward check` takes, beside what is there', async (t) => {
  const twins = [
    '/Common/vs.one',
    '/Edgeward/vs.one',
    '/Common/orders',
    '/Common/-x',
    '/Common/x+y',
    `/Common/${'n'.repeat(80)}`,
  ];
  const more = twins.map((path, i) => `ltm virtual ${path} { destination /Common/10.1.0.${i + 1}:80 }\n`).join('');
  const at = await place(t, { policy, config: `${partition}${customers}${more}` });
  const file = join(at.folder, 'policies', 'bigip-1.yaml');
  const said = await at.bigip('discover', '--out', file);
  t.match(said, { code: 0, out: `wrote 7 documents to ${file}\n` });
  const text = readFileSync(file, 'utf8');
  t.match(text, /# TODO: the labels[^\n]*\nlabels: \{\}\n/);
  t.notMatch(text, 'bind: /Common/vs_orders');
  t.match(text, /^# can't be protected: \/Common\/x\+y: /m);
  t.match(await run(['check', join(at.folder, 'policies')]), { code: 0, out: /^[\s\S]*8 objects/ });
  const names = [...text.matchAll(/^name: (.*)$/gm)].map(([, name]) => name);
  t.strictSame(names, ['x', 'n'.repeat(63), 'Common-orders', 'vs.one', 'vs_fast', 'vs_ssh', 'Edgeward-vs.one']);
  t.match(
    await at.bigip('plan', '--all'),
    { code: 3, out: /\/Common\/vs\.one {2}vs\.one {2}new/ },
    'and can be planned',
  );

  at.calls();
  t.match(await at.bigip('discover', '--out', file), { code: 2, err: /EDW_ERR_OUT_FILE[\s\S]*exists already/ });
  t.strictSame([readFileSync(file, 'utf8'), at.calls()], [text, []], 'labels are never lost');
  t.match(await at.bigip('discover'), { code: 0, out: /^[^\n]*\n# 8 that the policy binds already are left out/ });
  t.match(await at.bigip('discover', '--all'), { out: /# - the policy binds it already[\s\S]*name: orders\n/ });
});

t.test('an account that may only read is enough to discover, plan and verify', async (t) => {
  const users: PlaceOptions['users'] = [
    { name: 'admin', password: 'admin', role: 'admin' },
    { name: 'guest', password: 'guest', role: 'guest' },
  ];
  const at = await place(t, { policy, users, user: 'guest' });
  t.equal((await at.bigip('discover')).code, 0);
  t.match(await at.json('plan'), { code: 3, document: { revision: { from: null, to: 1 } } });
  t.match(await at.json('verify'), { code: 3, document: { verified: false } });
  t.strictSame(writesOf(at), []);
  const { code, err } = await at.bigip('attach', '/Common/vs_orders', '--force');
  t.strictSame([code, /EDW_ERR_\w+/.exec(err)?.[0]], [78, 'EDW_ERR_BIGIP_RIGHTS']);
});

t.test('a policy with errors is told before the box is asked; detach and discover need none', async (t) => {
  const at = await place(t, { policy });
  await at.apply(1);
  await at.bigip('attach', '/Common/vs_orders');
  at.calls();
  const failing = `tests:\n  - { from: 10.9.9.9, to: orders, port: tcp/443, request: GET /v1/orders/7, expect: allow }\n`;
  for (const [text, code] of [
    [policy.replace('app ==', 'app ='), 'EDW_ERR_SELECTOR'],
    [policy + failing, 'EDW_ERR_TEST_FAILED'],
  ] as const) {
    at.write(text);
    for (const args of [['plan'], ['verify'], ['attach', '/Common/vs_ssh']]) {
      const said = await at.bigip(...args);
      t.strictSame([said.code, said.out], [3, ''], args.join(' '));
      t.match(said.err, new RegExp(`shop\\.yaml:\\d+:\\d+ {2}error {2}${code}`), args.join(' '));
      t.match(await at.json(...args), {
        code: 3,
        document: { error: { code: 'EDW_ERR_POLICY_INVALID' }, findings: [] },
      });
    }
  }
  t.strictSame(at.calls(), []);
  t.equal((await at.bigip('detach', '/Common/vs_orders')).code, 0);
  const found = await at.bigip('discover');
  t.equal(found.code, 0);
  t.notMatch(found.out, /bind: \/Common\/vs_orders/, 'what is bound is known all the same');
});

t.test('what goes wrong has its code, its mend and its exit code', async (t) => {
  const at = await place(t, { policy });
  const config = join(at.folder, 'edgeward.yaml');
  const given = ['--config', config];
  const point = [...given, '--point', 'bigip-1'];
  const own = JSON.parse(readFileSync(config, 'utf8')) as { bigips: { 'bigip-1': object } };
  let others = 0;
  const other = (change: object): string[] => {
    others += 1;
    const file = join(at.folder, `other-${others}.yaml`);
    writeFileSync(file, JSON.stringify({ ...own, bigips: { 'bigip-1': { ...own.bigips['bigip-1'], ...change } } }));
    return ['--config', file, '--point', 'bigip-1'];
  };
  writeFileSync(join(at.folder, 'wrong'), 'wrong\n', { mode: 0o600 });
  const rows: [string[], number, string][] = [
    [['attach', ...point], 2, 'EDW_ERR_USAGE'],
    [['attach', 'vs_orders', ...point], 2, 'EDW_ERR_USAGE'],
    [['plan', ...given, '--point', 'bigip-2'], 3, 'EDW_ERR_UNKNOWN_POINT'],
    [['plan', '--config', '/nowhere.yaml', '--point', 'x'], 78, 'EDW_ERR_CONFIG_FILE'],
    [['plan', ...other({ urls: ['https://127.0.0.1:9'] })], 69, 'EDW_ERR_POINT_UNREACHABLE'],
    [['verify', ...other({ passwordFile: 'wrong' })], 78, 'EDW_ERR_BIGIP_LOGIN'],
    [['verify', ...other({ passwordFile: 'nowhere' })], 78, 'EDW_ERR_SECRET_FILE'],
    [['verify', ...other({ caFile: 'nowhere' })], 78, 'EDW_ERR_CA_FILE'],
    [['attach', '/Common/a~b', ...point], 3, 'EDW_ERR_BIGIP_NAME'],
    [['discover', '--out', join(at.folder, 'nowhere', 'x.yaml'), ...point], 2, 'EDW_ERR_OUT_FILE'],
  ];
  for (const [args, code, error] of rows) {
    const said = await run(['bigip', ...args]);
    t.strictSame([said.code, /EDW_ERR_\w+/.exec(said.err)?.[0]], [code, error], args.join(' '));
    t.match(said.err, /\n {2}\S/, 'a mend');
  }
});

t.test('a token is given back, however a command ends', async (t) => {
  const at = await place(t, { policy });
  for (const args of [['plan'], ['verify'], ['discover'], ['attach', '/Common/nope']]) await at.bigip(...args);
  const count = (method: string, path: RegExp): number =>
    at.unit.calls().filter((call) => call.method === method && path.test(call.path)).length;
  t.strictSame([count('POST', /authn\/login/), count('DELETE', /authz\/tokens\//)], [4, 4]);
});

t.test('a plan of a thousand virtual servers and sources fits a screen or is told whole', async (t) => {
  const count = 30;
  const binds = Array.from({ length: count }, (_, i) => `/Common/vs_${i}`);
  const servers = binds
    .map((bind, i) => virtualServer(`front-${i}`, bind, 'ports: [tcp/80]\nmode: enforce\n'))
    .join('');
  const cidrs = Array.from({ length: 1000 }, (_, i) => `{ cidr: 10.${i >> 7}.${(i & 127) * 2}.0/24 }`).join(', ');
  const rules = `kind: Policy\nname: p\nrules:\n  - { id: all, from: [${cidrs}], to: "has(app)" }\n`;
  const at = await place(t, { policy: `${servers}${rules}` });
  const short = await at.bigip('plan');
  t.match(short.out, /10\.0\.0\.0\/24, 10\.0\.2\.0\/24, 10\.0\.4\.0\/24 and 997 more {2}tcp\/80 {2}every request\n/);
  t.match(short.out, /… and 10 more; --all shows them\n/);
  t.ok(short.out.split('\n').length < 200);
  const all = await at.bigip('plan', '--all');
  t.equal(
    all.out.split('\n').filter((line) => /^ {2}gained {2}10\.\S+\/24 {2}tcp\/80/.test(line)).length,
    count * 1000,
  );
  t.notMatch(all.out, ' more');
  const { document } = await at.json('plan');
  t.equal((document.objects as unknown[]).length, count);
});

t.test('a pair is synced, or a person is told to', async (t) => {
  const at = await place(t, { policy, units: 2 });
  await at.apply(1);
  t.match(await at.bigip('attach', '/Common/vs_orders'), { code: 0, out: /and the pair is in sync\.\n$/ });
  const admin = adminOf(t, at);
  await admin.modify('tm/ltm/virtual/~Common~vs_ssh', { description: 'of others' });
  const due = await at.bigip('detach', '/Common/vs_orders');
  t.match(due, { code: 0, out: /A config-sync is due[\s\S]*tmsh run cm config-sync to-group \S+\n$/ });
  t.match(await at.bigip('verify'), { code: 3, out: /hazard {2}not-synced/ });
  at.write(policy.replace('10.3', '10.4'));
  t.match(await at.bigip('plan'), { code: 3, out: /In the way: EDW_ERR_BIGIP_FOREIGN_CHANGES/ });
});

function adminOf(t: Test, at: Place): Icontrol {
  const logger = createLogger({ level: 'silent' });
  const own = { user: 'admin', passwordFile: join(at.folder, 'password'), ca: at.simulator.ca, logger };
  const admin = createIcontrol({ url: at.unit.url, ...own });
  t.teardown(() => admin.close());
  return admin;
}

/** As names and texts of others may be. */
const hostile = [
  '\u001b[2J\u001b]0;owned\u0007',
  'a\nkind: Policy',
  '\u202egpj',
  '\'"`$(id)[exec x]{}#: -',
  '\u2028---\u2028',
];

t.test('no name of a box reaches a terminal, a document or a comment as it is', async (t) => {
  const at = await place(t, { policy });
  await at.apply(1);
  const admin = adminOf(t, at);
  let made = 0;
  for (const [index, text] of hostile.entries()) {
    const rule = {
      name: `r${text}`,
      partition: 'Common',
      apiAnonymous: 'when HTTP_REQUEST priority 1 { event disable }',
    };
    const virtual = { name: `v${text}`, partition: 'Common', destination: `/Common/10.2.0.${index + 1}:80` };
    await admin.create('tm/ltm/rule', rule).then(
      () => admin.modify('tm/ltm/virtual/~Common~vs_orders', { rules: [`/Common/r${text}`] }),
      () => null,
    );
    made += await admin.create('tm/ltm/virtual', virtual).then(
      () => 1,
      () => 0,
    );
    const map = await admin.get('tm/ltm/data-group/internal/~Edgeward~eg_map');
    const records = [
      ...((map?.records as object[]) ?? []),
      { name: `/Common/m${text}`, data: `1 enforce tcp - - 0 -` },
    ];
    await admin.modify('tm/ltm/data-group/internal/~Edgeward~eg_map', { records });

    const lines: [string[], ...string[]][] = [[['discover', '--all']], [['plan', '--all']], [['verify']]];
    lines.push(
      [['attach', '/Common/vs_orders', '--dry-run']],
      [['attach', `/Common/v${text}`, '--force', '--dry-run']],
    );
    for (const [args] of lines) {
      // Not the arguments themselves: they would be in the names of these tests.
      const name = `${index}: ${args[0] ?? ''}`;
      const said = await at.bigip(...args);
      for (const line of `${said.out}\n${said.err}`.split('\n')) t.notOk(unseen.test(line), name);
      t.not(said.code, 1, name);
      const { out } = await at.bigip(...args, '--json');
      t.notOk(unseen.test(out.trimEnd()), `${name} --json`);
    }
    const found = join(at.folder, `found-${index}`);
    mkdirSync(found);
    await at.bigip('discover', '--all', '--out', join(found, 'x.yaml'));
    t.ok(existsSync(join(found, 'x.yaml')));
    const checked = await run(['check', found, '--json']);
    const { findings, objects } = JSON.parse(checked.out) as { findings: unknown[]; objects: number };
    t.strictSame([checked.code, findings, objects], [0, [], 3], 'only the virtual servers that a policy can name');
  }
  t.ok(made > 0, `${made} hostile names were taken by the box`);
});
