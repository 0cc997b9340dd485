/** Our images, and the services of docker-compose.yml, for real: from a request to NGINX to a row in PostgreSQL. */
import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { docker, requireDocker, root } from './docker-here.ts';
import { eventually, startStack } from './stack.ts';

await requireDocker(t);
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  optionalDependencies: Record<string, string>;
};
const pinnedNode = manifest.optionalDependencies[`node-linux-${process.arch}`];
t.setTimeout(600_000);
const stack = await startStack(t);
const { as, ask, compose, exec, sql } = stack;

/** What an HTTPS request of a service says, with its own certificate or without. */
const call = (service: string, url: string, folder: string | null): Promise<string> => {
  const tls = folder === null ? '{}' : `{ cert: read('certificate.pem'), key: read('key.pem') }`;
  const script = `const { readFileSync } = require('fs');
    const read = (name) => readFileSync('${folder}/' + name);
    require('https').get('${url}', { ca: readFileSync('/run/edgeward/authority.pem'), ...${tls} }, (response) => {
      response.on('data', (piece) => process.stdout.write(piece));
      response.on('end', () => process.stdout.write(' ' + response.statusCode));
    }).on('error', (error) => process.stdout.write(error.code));`;
  return exec(service, 'node', '-e', script);
};

t.test(
  'NGINX lets through what the policy allows, and a denial reaches PostgreSQL with the labels of both ends',
  async (t) => {
    // Before the first push NGINX holds no policy, and denies everybody.
    await eventually(async () => ((await ask('shop.example', '/v1/catalogue/shoes')).status === 200 ? 'let in' : ''));
    t.match(await ask('shop.example', '/v1/catalogue/shoes'), { status: 200, ref: null });
    const denied = await ask('shop.example', '/v1/orders/7');
    t.equal(denied.status, 403);
    const row = (ref: string): Promise<string> =>
      eventually(() =>
        sql(`SELECT count(*), min(point), min(object), min(source), min(reason), min(rule) FROM edgeward.denial_events
        WHERE ref = '${ref}' HAVING count(*) > 0`),
      );
    t.equal(await row(denied.ref ?? ''), '1|edge-1|order-front|10.213.77.1|request-not-allowed|');

    const client = await eventually(() =>
      sql(`SELECT ref FROM edgeward.denial_events WHERE source = '10.213.77.11' AND reason <> 'no-policy' LIMIT 1`),
    );
    const labels = await sql(
      `SELECT source_labels, object_labels, verdict, revision FROM edgeward.denial_events WHERE ref = '${client}'`,
    );
    t.equal(
      labels,
      '{"app": "crm", "env": "dev", "loc": "eu", "role": "api"}|{"app": "shop", "env": "prod", "role": "web"}|deny|1',
    );
    const observed = await eventually(() =>
      sql(`SELECT verdict FROM edgeward.denial_totals WHERE object = 'admin-front' AND reason = 'denied-by-rule'`),
    );
    t.equal(observed, 'deny', 'an operator may do all but export');
  },
);

t.test('the images are small, without a compiler, and with the Node that the lock pins', async (t) => {
  const sizes = await docker([
    'image',
    'inspect',
    '--format',
    '{{.Size}}',
    'debian:trixie-slim',
    'edgeward:local',
    'edgeward-nginx:local',
  ]);
  const [base = 0, own = 0, nginx = 0] = sizes.trim().split('\n').map(Number);
  const megabytes = [own, nginx].map((size) => Math.round((size - base) / 1_000_000));
  t.comment(`beyond the base: ${megabytes.join(' and ')} MB`);
  t.ok((megabytes[0] ?? 0) < 160 && (megabytes[1] ?? 0) < 125, 'about as the page says');
  for (const service of ['sync', 'nginx'])
    t.equal(await exec(service, 'sh', '-c', 'command -v cc gcc clang make npm || true'), '', service);
  t.equal((await exec('sync', 'node', '--version')).trim(), `v${pinnedNode}`);
});

t.test('clients see each other answered as the policy says', async (t) => {
  t.match(await compose('logs', '--no-log-prefix', 'crm-1'), /GET=http:\/\/shop\.example:8080\/v1\/orders\/7 200$/m);
  t.match(await compose('logs', '--no-log-prefix', 'crm-dev-1'), / 403 reference [0-9a-f]{16}$/m);
  t.match(
    await exec('sync', 'edgeward', 'status'),
    /ENFORCING 2 objects, OBSERVING 1 object[\s\S]* from https:\/\/store:9443\n[\s\S]*edge-1 +current/,
  );
});

t.test('the policy is pushed by the one service that is named, and by no other certificate', async (t) => {
  const state = 'https://nginx:9180/edgeward/state';
  t.match(await call('forwarder', state, '/run/edgeward/forwarder'), /EDW_ERR_POINT_CERTIFICATE.*not named.* 403$/);
  t.match(await call('collector', state, null), /EDW_ERR_POINT_CERTIFICATE.*missing.* 403$/);
  t.match(await call('sync', state, '/run/edgeward/sync'), /EDW_ERR_POINT_TOKEN.* 401$/, 'and not without the token');
});

t.test('a service is a user that writes nowhere, and reads its own key alone', async (t) => {
  const users = { sync: 20001, nginx: 20002, forwarder: 20003, collector: 20004, postgres: 999, store: 20012 };
  const names = Object.keys(users);
  const script = `id -u; touch /etc/x 2>&1; for name in ${names.join(' ')}; do cat /run/edgeward/$name/key.pem 2>&1 | tail -n 1; done`;
  for (const [service, uid] of Object.entries(users)) {
    const [user, touched, ...keys] = (await exec(service, 'sh', '-c', script)).trim().split('\n');
    t.equal(user, String(uid), service);
    t.match(touched, /Read-only file system$/, service);
    const read = names.filter((_, at) => keys[at] === '-----END PRIVATE KEY-----');
    t.strictSame([read, keys.filter((key) => /Permission denied$/.test(key)).length], [[service], names.length - 1]);
  }
});

t.test('Prometheus reads every daemon with its certificate, and without one nobody does', async (t) => {
  const daemons = ['collector:9401', 'forwarder:9401', 'store:9401', 'sync:9401'];
  const up = (): Promise<string> => stack.prometheus('up{job="edgeward"} == 1').then(instances);
  t.equal(await eventually(async () => ((await up()) === daemons.join() ? 'all' : '')), 'all');
  const versions = await stack.prometheus('edgeward_store_version');
  t.match(versions, [{ value: [Number, /^[1-9]/] }], 'and what it reads is of the store');
  const enforced = await stack.prometheus('edgeward_policy_applied_revision{point="edge-1"}');
  t.match(enforced, [{ value: [Number, /^[1-9]/] }], 'what it reads is of the point');
  for (const name of daemons) t.notMatch(await call('sync', `https://${name}/metrics`, null), / 200$/, name);
});

const instances = (found: { metric: Record<string, string> }[]): string =>
  found
    .map(({ metric }) => metric.instance)
    .sort()
    .join();

t.test('people put a version into force: one proposes, both others sign, and nobody alone', async (t) => {
  const file = join(stack.policies, 'shop.yaml');
  await writeFile(file, (await readFile(file, 'utf8')).replace('path: /v1/catalogue/*', 'path: /v1/*'));
  t.equal((await ask('shop.example', '/v1/orders/7')).status, 403, 'a file that somebody edits is no policy');
  const reason = ['--reason', 'CHG-4420'];
  const { digest, proposal } = await as<{ digest: string; proposal: { id: string; needed: number } }>(
    'ada',
    ...['propose', '/policies', ...reason],
  );
  t.equal(proposal.needed, 2);
  await t.rejects(as('ada', 'approve', digest, ...reason), /EDW_ERR_PROPOSAL_OWN/);
  await as('ben', 'approve', digest, ...reason);
  await t.rejects(as('ben', 'publish', proposal.id), /EDW_ERR_APPROVAL_TOO_FEW/);
  await as('cyn', 'approve', digest, ...reason);
  await as('ben', 'publish', proposal.id);
  const status = (): Promise<string> => ask('shop.example', '/v1/orders/7').then((answer) => String(answer.status));
  t.equal(await eventually(async () => ((await status()) === '200' ? 'let in' : '')), 'let in');
  t.match(await as('cyn', 'verify'), { problems: [] }, 'an auditor finds everything in order');
});

t.test('the deny log is rotated, and each denial is in the ledger once', async (t) => {
  const refs: string[] = [];
  const rotated = (): Promise<string> => exec('nginx', 'sh', '-c', 'cd /var/log/edgeward && ls deny.log.*');
  const isRotated = async (): Promise<boolean> =>
    / /.test((await rotated().catch(() => '')).trim().replaceAll('\n', ' '));
  for (let round = 0; round < 60 && !(round > 5 && (await isRotated())); round += 1)
    for (let at = 0; at < 5; at += 1) refs.push((await ask('admin.example', `/rotation/${round}/${at}`)).ref ?? '');
  t.ok(await isRotated(), 'more than once');
  const named = [...new Set(refs)].map((ref) => `'${ref}'`).join();
  const stored = (): Promise<string> =>
    sql(`SELECT count(*), count(DISTINCT ref) FROM edgeward.denial_events WHERE ref IN (${named})`);
  const all = `${new Set(refs).size}|${new Set(refs).size}`;
  t.equal(await eventually(async () => ((await stored()) === all ? all : '')), all);
});

t.test('an incident is rehearsed and mended on it', async (t) => {
  t.match(
    await compose('run', '--rm', '--no-deps', 'rehearsal', 'break'),
    /DENY edge-1 10\.213\.77\.10\(app=crm,env=pord/,
  );
  t.match(
    await compose('run', '--rm', '--no-deps', 'rehearsal', 'mend'),
    /1\. Who[\s\S]*2\. Why[\s\S]*3\. What[\s\S]*And back/,
  );
});

/** The certificate that a server shows the sync service. */
const serial = (host: string, port: number): Promise<string> =>
  exec(
    'sync',
    ...['node', '-e'],
    `const socket = require('tls').connect({ host: '${host}', port: ${port}, rejectUnauthorized: false }, () => {
      process.stdout.write(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    }).on('error', () => {});`,
  );

t.test('certificates are renewed, and everybody takes theirs without being restarted by hand', async (t) => {
  await exec('certificates', 'node', '/opt/edgeward/docker/first-start.ts', '--check');
  const shown = { nginx: 9180, store: 9443, collector: 9445 };
  const before = new Map<string, string>();
  for (const [host, port] of Object.entries(shown)) before.set(host, await serial(host, port));
  const loaded = await sql('SELECT pg_conf_load_time()');
  const started = (): Promise<string> =>
    docker(['inspect', '--format', '{{.State.StartedAt}}', `${stack.project}-sync-1`]);
  const began = await started();
  await compose('run', '--rm', '--no-deps', '--no-TTY', 'certificates', '--renew');
  for (const [host, port] of Object.entries(shown)) {
    const other = async (): Promise<string> => {
      const now = await serial(host, port).catch(() => '');
      return now === before.get(host) ? '' : now;
    };
    t.match(await eventually(other), /^[0-9A-F]+$/, host);
  }
  const reloaded = async (): Promise<string> => ((await sql('SELECT pg_conf_load_time()')) === loaded ? '' : 'again');
  t.equal(await eventually(reloaded), 'again', 'PostgreSQL');
  t.equal(await eventually(async () => ((await started()) === began ? '' : 'again')), 'again', 'the sync service');
  const current = (): Promise<string> =>
    exec('sync', 'edgeward', 'status').then(
      (said) => /current, changed .* from https:\/\/store:9443/.exec(said)?.[0] ?? '',
      () => '',
    );
  t.match(await eventually(current), /current/, 'and it follows the store with its new one');
  t.match(await as('ada', 'status'), { version: 2 }, 'people come with theirs');
});

t.test('NGINX comes back to the policy that was in force, and the service to its point', async (t) => {
  const container = (service: string): string => `${stack.project}-${service}-1`;
  const status = (path: string): Promise<string> =>
    ask('shop.example', path).then(
      (answer) => String(answer.status),
      () => '',
    );
  await docker(['kill', container('nginx'), container('sync')]);
  await docker(['start', container('nginx')]);
  t.equal(await eventually(() => status('/v1/catalogue/shoes')), '200', 'before the service is there');
  t.equal(await status('/v2/orders/7'), '403');
  await docker(['start', container('sync')]);
  const current = (): Promise<string> =>
    exec('sync', 'edgeward', 'status').then(
      (said) => /edge-1 +current/.exec(said)?.[0] ?? '',
      () => '',
    );
  t.match(await eventually(current), /current/);
});

t.test('whatever is watched is healthy, also after all that', async (t) => {
  const ids = (await docker(['ps', '--quiet', '--filter', `label=com.docker.compose.project=${stack.project}`])).trim();
  const format = '{{.Name}} {{if .State.Health}}{{.State.Health.Status}}{{end}}';
  const unhealthy = async (): Promise<string[]> => {
    const said = (await docker(['inspect', '--format', format, ...ids.split('\n')])).trim().split('\n');
    return said.filter((line) => / (starting|unhealthy)$/.test(line));
  };
  await eventually(async () => ((await unhealthy()).length === 0 ? 'all' : ''));
  t.ok(ids.split('\n').length >= 10);
});
