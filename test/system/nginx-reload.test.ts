/** The service and an NGINX without njs: what a directory says becomes the verdicts of NGINX by reloads. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requireNginx } from '@edgeward/test/kit';
import t from 'tap';
import { reloadStand } from '../../nginx-njs/test/reload/reload-stand.ts';
import { type RunningService, type ServicePlace, startAt } from './running-service.ts';
import { ask, crm, dev, site, workload } from './site.ts';
import { eventually, until } from './waiting.ts';

await requireNginx(t, 'debian-12');

/** One address more, so that nothing is held when it goes again. */
const READERS = `  - id: readers
    from: [{ cidr: 203.0.113.7 }]
    to: "app == 'shop'"
    http: [{ methods: [GET] }]
`;

const stand = await reloadStand(t);
const place = await placeOf();

t.test('an NGINX of Debian 12 is enforcing what a directory says, by reloads alone', async (t) => {
  let it = await startAt(t, place);
  t.equal((await pointOf(it)).state, 'unreachable', 'the service was first: NGINX includes what it makes');
  await stand.start();
  await until('in force', async () => (await pointOf(it)).state === 'current');

  await t.test('who is allowed passes, others get 403, and the denial is in the ledger', async (t) => {
    const port = stand.ports['order-front'] ?? 0;
    t.equal((await ask(port, crm)).status, 200);
    const { status, ref } = await ask(port, dev);
    t.equal(status, 403);
    const denial = await eventually('the denial is stored', async () => {
      const { denials } = await it.denials('limit=1');
      return denials[0]?.ref === ref ? denials[0] : null;
    });
    t.match(denial, { point: 'edge-1', object: 'order-front', source: dev, reason: 'unknown-source', rule: null });
    t.match(denial, { nearestRule: 'crm-orders', sourceWorkloads: ['crm-2'], host: 'shop.example' });
  });

  await t.test('the status says what is not to be had without njs', async (t) => {
    t.match(await pointOf(it), { proofs: [{ state: 'unproven', why: 'off: an NGINX in reload mode takes none' }] });
  });

  await t.test('an address that loses its label is denied', async (t) => {
    await it.write('crm-1.yaml', workload('crm-1', crm, 'dev'));
    await until('denied', async () => (await ask(stand.ports['order-front'] ?? 0, crm)).status === 403);
    await it.write('crm-1.yaml', workload('crm-1', crm, 'prod'));
    await until('allowed', async () => (await ask(stand.ports['order-front'] ?? 0, crm)).status === 200);
    t.pass('and allowed again with it');
  });

  await t.test('a rule that NGINX can not judge keeps the old policy, and the status names it', async (t) => {
    await until('current', async () => (await pointOf(it)).state === 'current');
    const before = (await pointOf(it)).appliedRevision;
    await it.write('shop.yaml', `${site['shop.yaml']}${READERS}`);
    const point = await eventually('refused', async () => {
      const point = await pointOf(it);
      return point.lastError?.code === 'EDW_ERR_NGINX_NEEDS_NJS' ? point : null;
    });
    t.match(point, {
      state: 'behind',
      appliedRevision: before,
      lastError: { message: /rule readers of object order-front/ },
    });
    t.equal((await ask(stand.ports['order-front'] ?? 0, crm)).status, 200);
    await it.write('shop.yaml', site['shop.yaml'] ?? '');
    await until('current again', async () => (await pointOf(it)).state === 'current');
  });

  await t.test(
    'while the service is away NGINX restarts with its policy; on its return nothing is written',
    async (t) => {
      await it.stop();
      await stand.restart();
      t.equal((await ask(stand.ports['order-front'] ?? 0, crm)).status, 200);
      t.equal((await ask(stand.ports['order-front'] ?? 0, dev)).status, 403);
      await until('both workers are there', async () => (await stand.process.workers()).serving.length === 2);
      const { serving } = await stand.process.workers();
      it = await startAt(t, place);
      await until('current', async () => (await pointOf(it)).state === 'current');
      t.strictSame((await stand.process.workers()).serving, serving, 'no worker was replaced');
    },
  );
});

const pointOf = async (
  it: RunningService,
): Promise<Awaited<ReturnType<RunningService['status']>>['points'][number]> => {
  const [point] = (await it.status()).points;
  if (point === undefined) throw new Error('the service has no point');
  return point;
};

async function placeOf(): Promise<ServicePlace> {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-service-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const policies = join(folder, 'policies');
  await mkdir(policies);
  for (const [name, text] of Object.entries(site)) await writeFile(join(policies, name), text);
  const edge = {
    mode: 'reload',
    push: stand.push,
    streamPush: stand.streamPush,
    denyLog: stand.denyLog,
    process: { test: stand.words, pidFile: join(stand.folder, 'nginx.pid') },
    snapshot: { folder: stand.snapshots, reloadsPerHour: 3600, minSecondsBetween: 1 },
  };
  const configFile = join(folder, 'edgeward.yaml');
  const config = {
    policies: 'policies',
    stateDir: 'state',
    points: { 'edge-1': edge },
    api: { listen: '127.0.0.1:0' },
  };
  await writeFile(configFile, JSON.stringify(config));
  return { folder, policies, stateDir: join(folder, 'state'), configFile };
}
