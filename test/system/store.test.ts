/**
 * A central store, a sync service and an NGINX, each a process of its own: what people approved and machines say becomes
 * verdicts, and stays in force, or ends, whoever of them is killed.
 */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { compileDocuments, requireNginx, startEdge } from '@edgeward/test/kit';
import t from 'tap';
import { killableService } from './killable-service.ts';
import { killableStore } from './killable-store.ts';
import { type DenialsPage, preparePlace } from './running-service.ts';
import { ask, crm, dev, stranger } from './site.ts';
import { eventually, until } from './waiting.ts';

await requireNginx(t);

const workload = (name: string, address: string, env: string): object => ({
  name,
  labels: { app: 'crm', env },
  addresses: [address],
});
const others = [workload('crm-3', '127.0.1.3', 'prod'), workload('crm-4', '127.0.1.4', 'prod')];
const inventory = (devEnv = 'dev'): object[] => [
  workload('crm-1', crm, 'prod'),
  workload('crm-2', dev, devEnv),
  ...others,
];

const front = (point: string, name: string): object => ({
  kind: 'VirtualServer',
  name,
  labels: { app: 'shop' },
  point,
  bind: name,
  ports: ['tcp/443'],
  mode: 'enforce',
});

/** crm in prod may reach both fronts, and for a while the stranger may. */
const documents = (grantUntilMs: number | null = null): object[] => {
  const to = "app == 'shop'";
  const from = [{ workloads: "app == 'crm' && env == 'prod'", within: ['127.0.1.0/24'], max: 50 }];
  const grant = { id: 'visit', from: [{ cidr: `${stranger}/32` }], to, ports: ['tcp/443'] };
  const until = grantUntilMs === null ? [] : [{ ...grant, until: new Date(grantUntilMs).toISOString() }];
  const rules = [{ id: 'crm-orders', from, to, ports: ['tcp/443'] }, ...until];
  return [front('edge-1', 'order-front'), front('edge-2', 'other-front'), { kind: 'Policy', name: 'shop', rules }];
};

/** What a directory left at the point, long before there was a store: nobody may. */
const before = compileDocuments([front('edge-1', 'order-front')], { revision: 41 });

t.test('from a proposal to a verdict', async (t) => {
  const edge = await startEdge(t);
  await edge.point().apply(before);
  const store = await killableStore(t);
  await store.inventory(...inventory());
  await store.start();
  const identity = await store.who('edge-1');
  const place = await preparePlace(t, { edges: { 'edge-1': edge }, files: {} });
  await writeFile(
    place.configFile,
    JSON.stringify({
      stateDir: place.stateDir,
      store: {
        ...{ urls: [store.url], rootFile: store.rootFile, pollSeconds: 5 },
        ...{ certFile: identity.certFile, keyFile: identity.keyFile, caFile: identity.caFile },
      },
      points: {
        'edge-1': {
          ...{ push: edge.pushUrl, tokenFile: edge.paths.tokenFile },
          ...{ denyLog: edge.paths.denyLog, lastKnownFile: edge.paths.lastKnownFile },
        },
      },
      api: { listen: '127.0.0.1:0' },
    }),
  );
  const service = killableService(t, place);
  const statusOf = async (from: string): Promise<number> => (await ask(edge.port, from)).status;
  const passes = (from: string) => async () => (await statusOf(from)) === 200;
  const denied = (from: string) => async () => (await statusOf(from)) === 403;
  await service.start();

  t.test('before anything is approved, what the point had stays, and the status says why', async (t) => {
    const { headline, policy } = await eventually('the store has answered', async () => {
      const status = await service.status();
      return status.policy.errors.length > 0 ? status : null;
    });
    t.match(policy, { state: 'none', store: store.url, directory: null, errors: [{ code: 'EDW_ERR_STORE_NO_POINT' }] });
    t.match(headline, /^NOT ENFORCING: https:.*edge-1/);
    t.equal(await statusOf(crm), 403);
  });

  t.test(
    'what one proposed, another approved and a third published is enforced, above what the point had',
    async (t) => {
      t.equal(await store.publish(documents(), 'CHG-1: orders'), 1);
      await until('crm-1 passes', passes(crm));
      t.equal(await statusOf(dev), 403);
      t.equal(await statusOf(stranger), 403);
      const status = await eventually('all is well', async () => {
        const status = await service.status();
        return status.policy.state === 'current' && status.points[0]?.state === 'current' ? status : null;
      });
      t.equal(status.headline, 'ENFORCING 1 object');
      t.match(status.points[0], {
        appliedRevision: 42,
        store: { version: 1, desiredVersion: 1, appliedVersion: 1, contradicted: false, stale: false },
      });
    },
  );

  t.test('a denial is in the ledger with the labels of both ends', async (t) => {
    const { ref } = await ask(edge.port, dev, '/v1/orders?secret=1');
    const denial = await eventually('the denial is stored', async () => {
      const { denials } = (await service.get('/v1/denials?limit=1')) as DenialsPage;
      return denials[0]?.ref === ref ? denials[0] : null;
    });
    t.match(denial, {
      ...{ point: 'edge-1', object: 'order-front', objectLabels: { app: 'shop' }, path: '/v1/orders' },
      ...{ source: dev, sourceWorkloads: ['crm-2'], sourceLabels: { app: 'crm', env: 'dev' } },
      ...{ reason: 'unknown-source', rule: null, revision: 42, nearestRule: 'crm-orders' },
    });
    t.match(await service.get(`/v1/why/${ref}`), { judgedAt: 42, now: { verdict: 'deny', reason: 'unknown-source' } });
  });

  t.test('a label that machines change is another verdict, and nobody has to approve it', async (t) => {
    await store.inventory(...inventory('prod'));
    await until('crm-2 passes', passes(dev));
    await store.inventory(...inventory('dev'));
    await until('crm-2 is out again', denied(dev));
    t.equal(await statusOf(crm), 200);
  });

  t.test('the store hears how the point is', async (t) => {
    type Told = { applied: number; state: string };
    const told = await eventually('it is told', async () => {
      const answer = await store.ask(await store.who('flo'), '/v1/status');
      const { points } = answer.json() as { points: { point: string; reports: { report: Told }[] }[] };
      const report = points.find(({ point }) => point === 'edge-1')?.reports[0]?.report;
      return report !== undefined && report.applied > 42 && report.state === 'current' ? report : null;
    });
    t.match(told, { point: 'edge-1', state: 'current', nack: null, contradicted: false });
  });

  t.test("a stolen identity of the service gets its own point's slice and nothing else", async (t) => {
    const stolen = (path: string, body?: object) => store.ask(identity, path, body === undefined ? {} : { body });
    const theirs = await store.who('edge-2');
    const { status, bytes } = await store.ask(theirs, '/v1/points/edge-2/head');
    t.equal(status, 200);
    const signed = JSON.parse(bytes.toString()) as { payload: string };
    const head = JSON.parse(Buffer.from(signed.payload, 'base64url').toString()) as { rules: { digest: string } };
    const rules = `/v1/blobs/sha256/${head.rules.digest}`;
    t.equal((await store.ask(theirs, rules)).status, 200);
    for (const path of [
      '/v1/points/edge-2/head',
      '/v1/points/edge-2/delta?from=1.1.x',
      '/v1/points/edge-9/head',
      rules,
    ])
      t.equal((await stolen(path)).status, 404, path);
    const report = { typ: 'edgeward-report/1', point: 'edge-2', applied: 2 ** 30 };
    t.equal((await stolen('/v1/points/edge-2/status', report)).status, 404);
    for (const path of ['/v1/status', '/v1/proposals', '/v1/versions/newest', '/v1/record'])
      t.equal((await stolen(path)).status, 404, path);
    t.equal((await stolen('/v1/accept', { revision: 1 })).status, 404);
    t.equal((await stolen('/v1/points/edge-1/head')).status, 200);
  });

  const grantEndsMs = { at: 0 };
  t.test('the store is killed: verdicts stay, and a grant ends at its time', async (t) => {
    grantEndsMs.at = Date.now() + 6_000;
    t.equal(await store.publish(documents(grantEndsMs.at), 'CHG-2: a visit'), 2);
    await until('the stranger passes', passes(stranger));
    const granted = await eventually('it is known to be in force', async () => {
      const [point] = (await service.status()).points;
      return point?.state === 'current' && point.store?.version === 2 ? point : null;
    });
    await store.kill();
    t.ok(Date.now() < grantEndsMs.at, 'it was killed before the grant ended');
    await until('the stranger is out', denied(stranger));
    t.ok(Date.now() >= grantEndsMs.at, 'and not a moment earlier');
    t.equal(await statusOf(crm), 200);
    t.equal(await statusOf(dev), 403);
    const { policy, points } = await eventually('the loss is noticed', async () => {
      const status = await service.status();
      return status.policy.state === 'last-known-good' && status.points[0]?.state === 'current' ? status : null;
    });
    t.match(policy.errors, [{ code: 'EDW_ERR_STORE_UNREACHABLE' }]);
    t.equal(points[0]?.appliedRevision, granted.appliedRevision, 'nobody numbered it anew');
    t.not(points[0]?.appliedHash, granted.appliedHash);
  });

  t.test('the service is killed as well, and NGINX starts empty: what was last known is enforced again', async (t) => {
    await service.kill();
    // Only the service's own folder knows the policy now.
    await rm(edge.paths.lastKnownFile);
    await edge.restart();
    t.equal(await statusOf(crm), 403, 'closed, not open');
    await service.start();
    await until('crm-1 passes', passes(crm));
    t.strictSame([await statusOf(dev), await statusOf(stranger)], [403, 403], 'what has ended stays ended');
    const status = await eventually('the loss is noticed', async () => {
      const status = await service.status();
      // NGINX has it a moment before the service has heard so.
      return /on the last-known-good policy$/.test(status.headline) ? status : null;
    });
    t.equal(status.policy.state, 'last-known-good');
    t.match(status.points[0]?.store, { version: 2 });
  });

  t.test('the store is back, and is followed as if nothing had been', async (t) => {
    await store.inventory(...inventory('prod'));
    await store.start();
    await until('crm-2 passes', passes(dev));
    await until('all is well', async () => (await service.status()).policy.state === 'current');
    t.match((await service.status()).points[0]?.store, { version: 2, contradicted: false });
  });

  t.test('a service that is asked for a point that is not its own has nothing for it', async (t) => {
    await service.kill();
    const config = JSON.parse(await readFile(place.configFile, 'utf8')) as {
      points: Record<string, object>;
      stateDir: string;
    };
    config.points = { 'edge-2': config.points['edge-1'] ?? {} };
    config.stateDir = join(place.folder, 'thief');
    await writeFile(place.configFile, JSON.stringify(config));
    const thief = killableService(t, { ...place, stateDir: config.stateDir });
    await thief.start();
    const status = await eventually('it is refused', async () => {
      const status = await thief.status();
      return status.policy.errors.length > 0 ? status : null;
    });
    t.match(status.policy, { state: 'none', revision: 0, errors: [{ code: /^EDW_ERR_STORE_(NO_POINT|REFUSED)$/ }] });
    t.equal(await statusOf(crm), 200, 'and the point keeps what it had');
    await thief.kill();
  });
});
