/** `edgeward bigip export`: from a directory alone, and with a look at a simulated box. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Simulator, startSimulator } from '@edgeward/bigip-simulator';
import { createLogger } from '@edgeward/runtime';
import t, { type Test } from 'tap';
import { run } from './fixtures/run.ts';

const POLICY = `
kind: VirtualServer
name: order-front
labels: { app: shop }
point: bigip-1
bind: /Common/vs_orders
ports: [tcp/443]
mode: enforce
---
kind: Policy
name: shop
rules:
  - { id: partners, from: [{ cidr: 203.0.113.0/24 }], to: "app == 'shop'", services: [https], http: [{ methods: [GET], path: /v1/* }] }
---
kind: Service
name: https
ports: [tcp/443]
`;

const BOX = `
auth partition Edgeward { }
ltm rule /Common/ours {
when CLIENT_ACCEPTED { log local0. hello }
}
ltm virtual /Common/vs_orders {
    destination /Common/10.0.0.1:443
    profiles {
        /Common/http { }
        /Common/tcp { }
    }
    rules {
        /Common/ours
    }
}
`;

interface Place {
  folder: string;
  policies: string;
  out: string;
}

async function place(t: Test, policy = POLICY): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-export-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const policies = join(folder, 'policies');
  await mkdir(policies);
  await writeFile(join(policies, 'shop.yaml'), policy);
  return { folder, policies, out: join(folder, 'CHG-4411') };
}

async function box(t: Test, { folder }: Place): Promise<{ simulator: Simulator; config: string }> {
  const logger = createLogger({ level: 'silent' });
  const simulator = await startSimulator({ config: BOX, dataPlane: false, logger });
  t.teardown(() => simulator.close());
  await writeFile(join(folder, 'password'), 'admin\n', { mode: 0o600 });
  await writeFile(join(folder, 'ca.pem'), simulator.ca);
  const config = join(folder, 'edgeward.yaml');
  const url = simulator.units[0]?.url;
  const bigip = `{ urls: ['${url}'], user: admin, passwordFile: password, caFile: ca.pem, denials: { listen: '192.0.2.10:6514', from: [192.0.2.1], tls: { certFile: c, keyFile: k, clientCaFile: a } } }`;
  await writeFile(config, `policies: policies\nstateDir: state\nbigips:\n  bigip-1: ${bigip}\n`);
  return { simulator, config };
}

t.test('a directory is enough', async (t) => {
  const { policies, out } = await place(t);
  const said = await run(['bigip', 'export', policies, '--point', 'bigip-1', '--out', out]);
  t.equal(said.code, 0, said.err);
  t.match(said.out, /for bigip-1, revision 1: 7 files/);
  t.match(said.out, /way back: detach the rules/);
  t.match(said.out, /Begin with .*CHG-4411\/PROCEDURE\.md\.\n$/);
  const files = await readdir(out);
  t.strictSame(files.sort(), [
    'MANIFEST',
    'PROCEDURE.md',
    'eg_enforce_l4_v1.irule',
    'eg_enforce_l7_v1.irule',
    'forward.conf',
    'verify.expected',
    'verify.sh',
  ]);
  t.match(await readFile(join(out, 'PROCEDURE.md'), 'utf8'), 'members add { ADDRESS:PORT }');
});

t.test('the folder of two exports of the same policy differs in its time only', async (t) => {
  const { policies, out } = await place(t);
  const args = ['bigip', 'export', policies, '--point', 'bigip-1', '--revision', '7'];
  await run([...args, '--out', out]);
  await run([...args, '--out', `${out}-2`]);
  const timeless = async (folder: string, name: string): Promise<string> =>
    (await readFile(join(folder, name), 'utf8')).replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME');
  for (const name of await readdir(out)) {
    if (name === 'MANIFEST') continue;
    t.equal(await timeless(out, name), await timeless(`${out}-2`, name), name);
  }
});

t.test('with a look at the box: what it holds, what is in the way, and where denials go', async (t) => {
  const here = await place(t);
  const { simulator, config } = await box(t, here);
  const args = ['bigip', 'export', '--config', config, '--point', 'bigip-1', '--from-box', '--out', here.out];
  const said = await run([...args, '--json']);
  t.equal(said.code, 0, said.out);
  const document = JSON.parse(said.out) as Record<string, unknown>;
  t.match(document, {
    point: 'bigip-1',
    revision: 1,
    hash: /^[0-9a-f]{64}$/,
    out: here.out,
    box: { name: 'bigip-a.example', url: simulator.units[0]?.url, revision: null },
    objects: 1,
    groups: { all: 2, written: 2, files: 0 },
    back: 'detach',
  });
  const changing = simulator.units[0]
    ?.calls()
    .filter(
      ({ method, path }) => method !== 'GET' && !path.includes('/shared/authn') && !path.includes('/shared/authz'),
    );
  t.strictSame(changing, [], 'it only looked, and gave its token back');
  const procedure = await readFile(join(here.out, 'PROCEDURE.md'), 'utf8');
  t.match(procedure, 'members add { 192.0.2.10:6514 }');
  t.match(
    procedure,
    'tmsh modify ltm virtual /Common/vs_orders rules { /Edgeward/eg_enforce_l4_v1 /Edgeward/eg_enforce_l7_v1 /Common/ours }',
  );
  t.match(procedure, 'tmsh modify ltm virtual /Common/vs_orders rules { /Common/ours }', 'the way back');
});

t.test('a dry run writes nothing', async (t) => {
  const { folder, policies, out } = await place(t);
  const said = await run(['bigip', 'export', policies, '--point', 'bigip-1', '--out', out, '--dry-run']);
  t.equal(said.code, 0);
  t.match(said.out, /^would write .* for bigip-1, revision 1\n/);
  t.strictSame(await readdir(folder), ['policies']);
});

t.test('what is wrong is told before anything is written', async (t) => {
  const here = await place(t);
  const { policies, out } = here;
  const failing = `${POLICY.replace('services: [https], ', '')}tests_: 1\n`;
  const badPolicy = await place(t, failing);
  const badTest = await place(
    t,
    `${POLICY.replace('name: shop\nrules', 'name: shop\ntests: [{ from: 10.9.9.9, to: order-front, port: tcp/443, expect: allow }]\nrules')}`,
  );
  const badBind = await place(t, POLICY.replace('/Common/vs_orders', 'order-front'));
  const notes = await place(t);
  await writeFile(notes.out, 'mine');
  const point = ['--point', 'bigip-1'];
  const cases: [string, string[], number, string][] = [
    [
      'nothing that names a point',
      [policies, '--out', out, '--config', join(here.folder, 'none')],
      78,
      'EDW_ERR_CONFIG_FILE',
    ],
    ['no folder', [policies, ...point], 2, 'EDW_ERR_USAGE'],
    ['a revision of words', [policies, ...point, '--out', out, '--revision', 'new'], 2, 'EDW_ERR_USAGE'],
    ['revision 0', [policies, ...point, '--out', out, '--revision', '0'], 2, 'EDW_ERR_USAGE'],
    ['another point', [policies, '--point', 'bigip-2', '--out', out], 3, 'EDW_ERR_UNKNOWN_POINT'],
    ['a policy with errors', [badPolicy.policies, ...point, '--out', badPolicy.out], 3, 'EDW_ERR_POLICY_INVALID'],
    ['a test that fails', [badTest.policies, ...point, '--out', badTest.out], 3, 'EDW_ERR_POLICY_INVALID'],
    ['a bind that is no path', [badBind.policies, ...point, '--out', badBind.out], 3, 'EDW_ERR_BIGIP_BIND'],
    ['no configuration', ['--config', join(here.folder, 'none'), ...point, '--out', out], 78, 'EDW_ERR_CONFIG_FILE'],
    ['a folder that is a file', [notes.policies, ...point, '--out', notes.out], 2, 'EDW_ERR_OUT_FOLDER'],
  ];
  for (const [name, args, code, error] of cases) {
    const said = await run(['bigip', 'export', ...args, '--json']);
    t.match(JSON.parse(said.out), { error: { code: error } }, name);
    t.equal(said.code, code, name);
  }
  t.strictSame(await readdir(here.folder), ['policies']);
  t.equal(await readFile(notes.out, 'utf8'), 'mine');
});
