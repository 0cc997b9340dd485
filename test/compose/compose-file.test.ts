/** docker-compose.yml as Docker reads it, profiles included, and what it mounts: claims that need no container. */
import { existsSync, readFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { loadStoreConfig } from '@edgeward/central-store';
import { findPrometheus, runProgram } from '@edgeward/debian-packages';
import { readForwarderConfig } from '@edgeward/deny-forwarder';
import { yamlDocuments } from '@edgeward/policy-source';
import { loadServiceConfig } from '@edgeward/sync-service';
import t from 'tap';
import { loadCollectorConfig } from '../../cli/src/collect/collector-config.ts';
import { run } from '../../cli/test/fixtures/run.ts';
import { page, tableRows } from '../docs/markdown.ts';
import { docker, requireCompose, root } from './docker-here.ts';
import { libraries } from './libraries.ts';

await requireCompose(t);

interface Service {
  image: string;
  build?: unknown;
  pull_policy?: string;
  user?: string;
  read_only?: boolean;
  privileged?: boolean;
  cap_drop?: string[];
  cap_add?: string[];
  security_opt?: string[];
  network_mode?: string;
  networks?: Record<string, { ipv4_address?: string } | null>;
  restart?: string;
  healthcheck?: { disable?: boolean; test?: string[] };
  logging?: { driver: string; options: Record<string, string> };
  environment?: Record<string, string | null>;
  ports?: { host_ip?: string; published: string }[];
  volumes?: { type: string; source: string; target: string; read_only?: boolean }[];
}

const config = JSON.parse(await docker(['compose', '--profile', '*', 'config', '--format', 'json'])) as {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
};
const services = Object.entries(config.services);
/** They do what they are for, and end. */
const PEOPLE = ['ada', 'ben', 'cyn'];
const ONCE = ['first-start', 'first-version', 'grants', 'rehearsal', ...PEOPLE];
const text = (path: string): string => readFileSync(join(root, path), 'utf8');

t.test('every image is of one version: ours are built here, the others pinned', async (t) => {
  for (const [name, { image }] of services)
    t.match(image, /^(edgeward(-[a-z]+)?:local|[a-z]+(\/[a-z]+)?:v?\d+\.\d+(\.\d+)?)$/, name);
  for (const image of new Set(services.map(([, it]) => it.image).filter((it) => it.endsWith(':local')))) {
    const users = services.filter(([, it]) => it.image === image);
    const built = users.filter(([, it]) => it.build !== undefined);
    t.equal(built.length, 1, `${image} is built once`);
    for (const [name, it] of users) if (it.build === undefined) t.equal(it.pull_policy, 'never', `${name}: not pulled`);
  }
});

t.test('nothing is root but what prepares, and nothing has rights that it does not need', async (t) => {
  const rights: Record<string, string[]> = {
    'first-start': ['CHOWN', 'DAC_OVERRIDE', 'FOWNER'],
    certificates: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER'],
    // Edits files of whoever runs it, and reads the token of the service.
    rehearsal: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER'],
    // Its own packet filter, in a network namespace of its own.
    host: ['NET_ADMIN', 'NET_RAW'],
  };
  for (const [name, it] of services) {
    const allowed = rights[name] ?? [];
    if (allowed.length === 0) t.match(it.user, /^[1-9]\d*:[1-9]\d*$/, `${name} is a user`);
    t.strictSame([it.cap_drop, it.cap_add ?? []], [['ALL'], allowed], `${name}: rights`);
    t.strictSame(it.security_opt, ['no-new-privileges:true'], `${name}: gets none later`);
    t.equal(it.read_only, true, `${name}: its root is read-only`);
    t.notOk(it.privileged, `${name}: not privileged`);
    t.not(it.network_mode, 'host', `${name}: a network of its own`);
    t.strictSame(
      Object.keys(it.logging?.options ?? {}).sort(),
      ['max-file', 'max-size'],
      `${name}: its log is bounded`,
    );
  }
});

t.test('the store is as small as by its unit', (t) => {
  const lines = text('central-store/edgeward-store.service').matchAll(/^Environment=(.+)$/gm);
  const words = [...lines].flatMap(([, pairs = '']) => pairs.split(' '));
  t.ok(words.length >= 3);
  const { environment = {} } = config.services.store ?? {};
  t.strictSame(
    Object.entries(environment)
      .map((pair) => pair.join('='))
      .sort(),
    words.sort(),
  );
  t.end();
});

t.test('whatever goes on is watched', async (t) => {
  for (const [name, { restart, healthcheck }] of services) {
    const isClient = /^(crm|ops)-/.test(name);
    t.equal(restart, ONCE.includes(name) ? 'no' : 'unless-stopped', `${name}: restart`);
    if (ONCE.includes(name) || isClient) t.equal(healthcheck?.disable, true, `${name}: has nothing to ask`);
    else t.equal(healthcheck?.test?.[0], 'CMD', `${name}: has a health check`);
  }
});

t.test('it is reached from this machine alone, and reaches into it nowhere', async (t) => {
  for (const [name, { ports = [], volumes = [] }] of services) {
    for (const port of ports) t.equal(port.host_ip, '127.0.0.1', `${name}: ${port.published}`);
    for (const { type, source, target, read_only: readOnly } of volumes) {
      if (type === 'volume') {
        t.ok(source in config.volumes, `${name}: ${target} is a volume of its own`);
        continue;
      }
      t.match(relative(root, source), /^(docker|grafana|examples)\//, `${name}: ${source} is of this repository`);
      t.ok(existsSync(source), `${source} is there`);
      if (name !== 'rehearsal') t.equal(readOnly, true, `${name}: ${target} is read-only`);
    }
  }
});

t.test('no secret stands in it', async (t) => {
  for (const [name, { environment = {} }] of services)
    for (const key of Object.keys(environment)) t.notMatch(key, /(PASSWORD|SECRET|TOKEN|KEY)$/, `${name}: ${key}`);
  t.notMatch(text('docker-compose.yml'), /password:|token:/i);
});

t.test('each service is a user of its own, and the one that its identity belongs to', async (t) => {
  const prepared = [...text('docker/first-start.ts').matchAll(/^ {2}'?([a-z-]+)'?: \{\s*uid: (\d+)/gm)];
  t.ok(prepared.length >= 7);
  for (const [, name = '', uid] of prepared) t.equal(config.services[name]?.user, `${uid}:${uid}`, name);
  const holders = services.filter(([name, it]) => !ONCE.includes(name) && mountsIdentities(it));
  const users = holders.map(([, { user }]) => user);
  t.strictSame(users, [...new Set(users)], 'no two that hold a key are one user');
});

t.test('people have a key each that no service has, and the authorities are where certificates are made', async (t) => {
  const whoMounts = (volume: string): string[] =>
    services.filter(([, { volumes = [] }]) => volumes.some(({ source }) => source === volume)).map(([name]) => name);
  const making = ['certificates', 'first-start'];
  for (const person of PEOPLE)
    t.strictSame(whoMounts(`people-to-try-out-${person}`).sort(), [person, ...making, 'first-version'].sort(), person);
  t.strictSame(whoMounts('authority').sort(), making);
  t.strictSame(whoMounts('store-state').sort(), [...making, 'store']);
  for (const name of making) t.equal(config.services[name]?.network_mode, 'none', name);
});

const mountsIdentities = ({ volumes = [] }: Service): boolean => volumes.some(({ source }) => source === 'identities');

t.test('the images take the libraries that package-lock.json has for the command, and no other', async (t) => {
  const taken = text('.dockerignore')
    .split('\n')
    .flatMap((line) => /^!(node_modules\/.+)$/.exec(line)?.[1] ?? [])
    .filter((path) => !path.includes('node-linux-') && !/^node_modules\/@?edgeward$/.test(path));
  const { missing, needless } = libraries(text('package-lock.json'), taken);
  t.strictSame(missing, [], 'what runs is there');
  t.strictSame(needless, [], 'what does not run is not');
});

t.test('its configurations are sound, and its policies pass their tests', async (t) => {
  const at = (path: string): string => join(root, 'docker', path);
  const service = await loadServiceConfig({ file: at('edgeward/edgeward.yaml') });
  t.match(service.points, [{ name: 'edge-1', push: 'https://nginx:9180' }]);
  t.match(service.store, { urls: ['https://store:9443'], certFile: '/run/edgeward/sync/store/edge-1.pem' });
  const store = await loadStoreConfig({ file: at('edgeward/edgeward-store.yaml') });
  t.match(store, { stateDir: '/var/lib/edgeward-store', inventory: '/etc/edgeward/inventory', listen: { port: 9443 } });
  t.match((await loadServiceConfig({ file: at('host/edgeward.yaml') })).hosts?.points, [{ name: 'host-1' }]);
  t.match((await loadServiceConfig({ file: at('bigip/edgeward.yaml') })).bigips, [{ name: 'bigip-1' }]);
  const collector = await loadCollectorConfig({ file: at('edgeward/edgeward-collector.yaml') });
  t.strictSame([...collector.senders], [['sync', ['edge-1']]], 'whoever is named comes');
  const file = 'docker/edgeward/edgeward-forwarder.yaml';
  const [document] = yamlDocuments(text(file), file).documents;
  const value = JSON.parse(JSON.stringify(document?.value)) as unknown;
  t.match(readForwarderConfig({ value, file }).collector, { url: 'https://sync:9444' });

  const policies = join(t.testdir({}), 'policies');
  for (const [name, folders] of Object.entries({
    service: ['docker/policies'],
    host: ['docker/policies/inventory', 'docker/host/policies'],
    bigip: ['examples/policies', 'docker/bigip/policies'],
  })) {
    const folder = join(policies, name);
    for (const it of folders) await cp(join(root, it), join(folder, it), { recursive: true });
    t.match(await run(['check', folder]), { code: 0, out: /no errors/ }, name);
    t.match(await run(['test', folder]), { code: 0, out: /0 failed/ }, name);
  }
  const inventory = text('docker/policies/inventory/clients.yaml');
  const clients = services.filter(([name, { networks }]) => /^(crm|ops)-/.test(name) && networks !== undefined);
  for (const [name, { networks = {} }] of clients)
    t.ok(inventory.includes(`addresses: [${networks.edge?.ipv4_address}]`), `the inventory knows ${name}`);
});

t.test('Prometheus asks every daemon that answers it', async (t) => {
  const file = 'docker/prometheus/prometheus.yml';
  const targets = /targets: \[(sync.*)\]/.exec(text(file))?.[1]?.split(', ') ?? [];
  const files = {
    sync: 'edgeward',
    forwarder: 'edgeward-forwarder',
    collector: 'edgeward-collector',
    store: 'edgeward-store',
  };
  t.strictSame(
    targets,
    Object.keys(files).map((name) => `${name}:9401`),
  );
  const named = /names: \[(sync.*)\]/.exec(text(file))?.[1]?.split(', ') ?? [];
  t.strictSame(named, ['sync-host', 'sync-bigip'], 'and those of profiles, when they are there');
  const own = Object.values(files).map((config) => `edgeward/${config}`);
  for (const config of [...own, 'host/edgeward', 'bigip/edgeward'])
    t.match(text(`docker/${config}.yaml`), /^metrics:\n {2}listen: 0\.0\.0\.0:9401\n {2}tls:/m, config);
  const [program = '', ...words] = (await findPrometheus()).promtool;
  const asked = [...words, 'check', 'config', '--syntax-only', join(root, file)];
  const { code, stderr } = await runProgram(program, asked, { timeoutMs: 20_000 });
  t.equal(code, 0, stderr);
});

t.test('the page has every service, and no other', async (t) => {
  const rows = tableRows(page('docs/compose.md'), ['service', 'what it is', 'runs as']);
  const shown = rows.flatMap(([names = '', , user = '']) =>
    names
      .replaceAll('`', '')
      .split(', ')
      .map((name) => [name, user]),
  );
  const own = services.map(([name, { user = '' }]) => [name, user.split(':')[0] ?? '']);
  t.strictSame(shown.sort(), own.sort());
});
