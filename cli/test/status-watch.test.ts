/** `edgeward status --watch` at real services: what changes follows line by line, waves of a roll-out and its return too. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServiceStatus } from '@edgeward/sync-service';
import { type Edge, freePort, requireNginx, startEdge } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { eventually, serve, startService } from './fixtures/real-service.ts';
import { makeStore, ok, type RealStore, serveStore, waitFor } from './fixtures/real-store.ts';
import { documentsIn, run, type Said, start } from './fixtures/run.ts';

await requireNginx(t);

interface Watching {
  /** Documents so far. */
  seen(): ServiceStatus[];
  /** What it said on stderr. */
  told(): string;
  until(holds: (newest: ServiceStatus) => boolean): Promise<void>;
  stop(): Promise<Said>;
}

function watch(t: Test, config: string): Watching {
  const { child, ended } = start(t, ['status', '--watch', '--json', '--config', config]);
  let [out, err] = ['', ''];
  child.stdout?.on('data', (piece: string) => {
    out += piece;
  });
  child.stderr?.on('data', (piece: string) => {
    err += piece;
  });
  const seen = (): ServiceStatus[] => documentsIn(out.slice(0, out.lastIndexOf('\n') + 1)) as ServiceStatus[];
  return {
    seen,
    told: () => err,
    async until(holds) {
      const looked = (): true | null => {
        const newest = out.includes('\n') ? seen().at(-1) : undefined;
        return newest !== undefined && holds(newest) ? true : null;
      };
      await waitFor(looked, () => out + err);
    },
    async stop() {
      child.kill('SIGINT');
      return await ended;
    },
  };
}

const statusOf = async (config: string): Promise<ServiceStatus | undefined> => {
  const { code, out } = await run(['status', '--json', '--config', config]);
  return code === 0 ? (documentsIn(out)[0] as ServiceStatus) : undefined;
};

t.test('an edit is told, a point that is tried in vain again is not, and an absence is told once', async (t) => {
  const service = await startService(t);
  const { config } = service;
  const failedAt = async (): Promise<number> => (await statusOf(config))?.points[0]?.lastError?.at ?? 0;
  await eventually(async () => (await failedAt()) > 0);
  const watching = watch(t, config);
  await watching.until(({ policy }) => policy.revision === 1);
  const before = await failedAt();
  await waitFor(
    async () => ((await failedAt()) > before ? true : null),
    () => 'the point is not tried again',
  );
  t.equal(watching.seen().length, 1, 'only time has passed');

  const file = join(service.policies, 'shop.yaml');
  writeFileSync(file, readFileSync(file, 'utf8').replace('[GET, POST]', '[GET]'));
  await watching.until(({ policy }) => policy.revision === 2);
  t.match(
    watching.seen().map(({ policy }) => policy.revision),
    [1, 2],
  );

  const lives = new Set(watching.seen().map(({ startedAtMs }) => startedAtMs));
  await service.stop();
  await waitFor(
    () => (watching.told() === '' ? null : true),
    () => 'nothing was told',
  );
  await service.start();
  await watching.until(({ startedAtMs }) => !lives.has(startedAtMs));
  const { code, err } = await watching.stop();
  t.equal(code, 0);
  t.match(err, /^asking the sync service at 127\.0\.0\.1:\d+: .*; trying again until it answers\n$/);
});

const front = (point: string, tier: string): string => `kind: VirtualServer
name: front-${point}
labels: { app: shop, tier: ${tier} }
point: ${point}
bind: order-front
ports: [tcp/443]
mode: observe
---
`;
const policy = (ports: string): string => `kind: Policy
name: shop
rules:
  - { id: branches, from: [{ cidr: 192.0.2.0/24 }], to: "app == 'shop'", ports: [${ports}] }
`;

async function publish(store: RealStore, ports: string): Promise<void> {
  writeFileSync(
    join(store.policies, 'all.yaml'),
    `${front('edge-1', 'canary')}${front('edge-2', 'main')}${policy(ports)}`,
  );
  const made = await store.json<{ digest: string; proposal: { id: string; needed: number } }>('ada', [
    ...['propose', store.policies, '--reason', 'CHG-1'],
  ]);
  const signers = (['ben', 'cyn'] as const).slice(0, made.proposal.needed);
  for (const name of signers) await store.json(name, ['approve', made.digest, '--reason', 'looked at it']);
  await store.json('ben', ['publish', made.proposal.id]);
}

/** Every point has the first version; the second one waits for ever after the canary. */
async function openStore(t: Test): Promise<RealStore> {
  const folders = await makeStore(t);
  const first = await serveStore(t, folders);
  await publish(first, 'tcp/443');
  await first.stop();
  const config = join(folders.store, 'edgeward-store.yaml');
  const waves = `[{ match: "tier == 'canary'" }, { all: true }]`;
  writeFileSync(config, `${readFileSync(config, 'utf8')}rollout: { waves: ${waves}, settleSeconds: 86400 }\n`);
  return await serveStore(t, folders);
}

async function configOf(store: RealStore, edges: Record<string, Edge>): Promise<string> {
  const points = Object.keys(edges).flatMap((name) => ['--point', name]);
  const out = join(store.root, 'site');
  const made = await ok(['store', 'certificate', store.store, ...points, '--out', out, '--json']);
  const [{ certFile, keyFile, caFile, rootFile }] = documentsIn(made.out) as [Record<string, string>];
  const file = join(store.root, 'edgeward.yaml');
  const pointOf = ({ pushUrl, paths: { tokenFile, denyLog, lastKnownFile } }: Edge): object => ({
    ...{ push: pushUrl, tokenFile, denyLog, lastKnownFile },
  });
  const config = {
    stateDir: 'state',
    store: { urls: [store.url], pollSeconds: 5, certFile, keyFile, caFile, rootFile },
    points: Object.fromEntries(Object.entries(edges).map(([name, edge]) => [name, pointOf(edge)])),
    api: { listen: `127.0.0.1:${await freePort()}` },
  };
  writeFileSync(file, JSON.stringify(config));
  return file;
}

t.test('a wave that arrives and goes back again is seen at its points', { timeout: 400_000 }, async (t) => {
  const store = await openStore(t);
  const edges = { 'edge-1': await startEdge(t), 'edge-2': await startEdge(t, { point: 'edge-2' }) };
  const config = await configOf(store, edges);
  const stop = await serve(t, config);
  t.teardown(stop);
  const versions = (status: ServiceStatus): unknown[] => status.points.map((it) => it.store?.appliedVersion);
  const are = (edge1: number, edge2: number) => (status: ServiceStatus) =>
    `${versions(status)}` === `${[edge1, edge2]}`;
  const watching = watch(t, config);
  await watching.until(are(1, 1));
  await publish(store, 'tcp/443, tcp/8443');
  await watching.until(are(2, 1));
  const text = await run(['status', '--config', config]);
  t.match(text.out, /POINT +STATE +VERSION +DESIRED [^\n]*\nedge-1 +\w+ +2 +\d[^\n]*\nedge-2 +\w+ +1 +\d/);
  t.match(await store.as('ben', ['rollout', 'return', '2', '--reason', 'INC-7']), { code: 0 });
  await watching.until(are(1, 1));
  const { code, err } = await watching.stop();
  t.strictSame([code, err], [0, '']);
  const at = (point: number): unknown[] => {
    const all = watching.seen().map((status) => versions(status)[point]);
    return all.filter((version, i) => version !== null && version !== all[i - 1]);
  };
  t.strictSame([at(0), at(1)], [[1, 2, 1], [1]]);
});
