/** `edgeward store nats-accounts`: what it prints is taken by a real server, and separates the points that it names. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createNatsPublication } from '@edgeward/central-store';
import { createNatsTransport, type NatsCredentials, readNatsCredentials, type Transport } from '@edgeward/policy-feed';
import { createLogger, systemClock } from '@edgeward/runtime';
import {
  createSignedWorld,
  publishedWorld,
  requireNatsServer,
  simpleGroup,
  simpleSlices,
  startNatsCluster,
} from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { documentsIn, run } from './fixtures/run.ts';

await requireNatsServer(t);

const logger = createLogger({ level: 'silent' });
/** The pair whose secret is 32 zeros. */
const SEED = `SU${'A'.repeat(54)}EQ`;
const PUBLIC = 'UA5WUJ54Z23KILLCUOUNAKTPBVZWKMQVO4O6EQ5GHLAERIMLLHNCTYM5';
/** Whatever a server's grammar has a meaning for. */
const EVIL = `$KV "}]} # // accounts { EVIL { \\t \${HOME} 'x' include é`;
const TLS = 'tls: { certFile: a.pem, keyFile: b.pem, clientCaFile: c.pem }';
const POINTS = ['edge-1', 'edge.1', 'dc_1', 'EDGE-1', 'edgeward_store'];

interface Files {
  dir: string;
  config: string;
  /** Of a file with these credentials. */
  file(name: string, text: string): string;
}

function files(t: Test): Files {
  const dir = t.testdir({ state: {} });
  const file = (name: string, text: string): string => {
    const path = join(dir, name);
    writeFileSync(path, `${text}\n`, { mode: 0o600 });
    return path;
  };
  const nats = 'nats: { servers: ["nats://127.0.0.1:4222"], credentialsFile: store.credentials, replicas: 1 }';
  const config = file('edgeward-store.yaml', `stateDir: state\ninventory: state\n${TLS}\n${nats}`);
  file('store.credentials', `store:${EVIL}`);
  return { dir, config, file };
}

t.test('a real server takes it; each user reads its own points, and nobody else does', async (t) => {
  const { dir, config, file } = files(t);
  const one = file('one=1.credentials', `user "one" {: ${EVIL}`);
  const services = [`${one}=edge-1,dc_1`, `${PUBLIC}=edge.1,EDGE-1`, `${file('two', 'two:x')}=edgeward_store`];
  const said = await run([
    'store',
    'nats-accounts',
    '--config',
    config,
    ...services.flatMap((it) => ['--service', it]),
  ]);
  t.match(said, { code: 0, err: '' });
  const cluster = await startNatsCluster({ nodes: 1, configuration: said.out });
  t.teardown(() => cluster.close());
  const world = await createSignedWorld();
  await world.publish(simpleSlices(POINTS), { members: { [simpleGroup()]: ['10.30.0.1'] } });
  const publication = createNatsPublication({
    urls: cluster.servers,
    credentials: await readNatsCredentials(join(dir, 'store.credentials')),
    replicas: 1,
    state: publishedWorld(world, new Set(POINTS)),
    onReport: () => {},
    clock: systemClock,
    logger,
  });
  t.teardown(() => publication.close());
  for (const point of POINTS) publication.headChanged(point);
  publication.rootsChanged();
  await publication.settled(AbortSignal.timeout(60_000));
  const signal = AbortSignal.timeout(60_000);
  const users: { credentials: NatsCredentials; points: string[] }[] = [
    { credentials: await readNatsCredentials(one), points: ['edge-1', 'dc_1'] },
    { credentials: { kind: 'nkey', seed: SEED }, points: ['edge.1', 'EDGE-1'] },
    { credentials: { kind: 'password', user: 'two', password: 'x' }, points: ['edgeward_store'] },
  ];
  for (const { credentials, points } of users) {
    const transport: Transport = createNatsTransport({ urls: cluster.servers, credentials, points, logger });
    t.teardown(() => transport.close());
    for (const point of POINTS) {
      const asked = transport.next(point, null, { waitMs: 0, signal });
      if (points.includes(point)) t.match(await asked, { state: 'head', head: world.head(point) }, point);
      else await t.rejects(asked, { code: 'EDW_ERR_STORE_REFUSED' }, `${point} is no point of ${points.join()}`);
    }
  }
});

t.test('what could become a right, or would lock somebody out, is refused; no password is in a message', async (t) => {
  const { dir, config, file } = files(t);
  const own = file('own', 'own:s3cret');
  const other = file('other', 'own:s3cret-2');
  const store = ['--store', file('st', 'store:s3cret')];
  const control = file('control', 'c:s3cret\u0001');
  const plain = file('plain.yaml', `stateDir: state\ninventory: state\n${TLS}`);
  const service = (it: string): string[] => ['--service', it];
  const cases: [string, string[], number, RegExp][] = [
    ['no service', store, 2, /no service is named/],
    ['no point', [...store, ...service(own)], 2, /names no points/],
    ['an empty name', [...store, ...service(`${own}=`)], 2, /'' is no name of a point/],
    ['every point', [...store, ...service(`${own}=*`)], 2, /'\*' is no name of a point/],
    ['all subjects', [...store, ...service(`${own}=edge-1,>`)], 2, /'>' is no name of a point/],
    ['another token', [...store, ...service(`${own}=a b`)], 2, /'a b' is no name/],
    ['a quote', [...store, ...service(`${own}=a"`)], 2, /'a"' is no name/],
    ['two with one login', [...store, ...service(`${own}=a`), ...service(`${other}=b`)], 2, /log in as 'own'/],
    ['the login of the store', ['--config', config, ...service(`${join(dir, 'store.credentials')}=a`)], 2, /'store'/],
    ['a seed', [...store, ...service(`${file('seed', SEED)}=a`)], 78, /NATS_CREDENTIALS.*U… in the place/s],
    ['a control character', [...store, ...service(`${control}=a`)], 78, /NATS_CREDENTIALS.*a control character/s],
    ['no file', [...store, ...service('/nowhere=a')], 78, /EDW_ERR_SECRET_FILE/],
    ['no configuration', ['--config', '/nowhere', ...service(`${own}=a`)], 78, /EDW_ERR_CONFIG/],
    ['a store without NATS', ['--config', plain, ...service(`${own}=a`)], 2, /has no `nats`/],
  ];
  for (const [name, args, code, says] of cases) {
    const said = await run(['store', 'nats-accounts', ...args]);
    t.match(said, { code, out: '', err: says }, name);
    t.notMatch(said.err, /s3cret|AAAA/, name);
  }
});

t.test('--json has the configuration, and beside it who is who without a password', async (t) => {
  const { file } = files(t);
  const args = ['--store', PUBLIC, '--service', `${file('own', 'own:s3cret')}=b,a`];
  const plain = await run(['store', 'nats-accounts', ...args]);
  const said = await run(['store', 'nats-accounts', ...args, '--json']);
  const services = [{ login: { user: 'own' }, points: ['b', 'a'] }];
  t.strictSame(documentsIn(said.out), [{ configuration: plain.out, store: { nkey: PUBLIC }, services }]);
});
