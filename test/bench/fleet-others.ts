/** What a fleet behind a store is compared with: everybody downloads everything; and the same store behind NATS. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type NatsUser, natsAccounts } from '@edgeward/policy-feed';
import { startNatsCluster } from '../kit/index.ts';
import type { Bench } from './benchmark.ts';
import { openClients } from './fleet-clients.ts';
import { monotonicMs } from './fleet-clock.ts';
import { certificateOf, type FleetEstate, NOWHERE, POINTS_PER_CERTIFICATE, pointName } from './fleet-estate.ts';
import { startFleetProcess } from './fleet-processes.ts';
import type { OtherWay } from './fleet-run.ts';
import type { FleetWorld } from './fleet-world.ts';

export interface WholeFound {
  clients: number;
  /** The policy, and what of it goes over the wire. */
  bytes: number;
  packedBytes: number;
  coldMs: number[];
  /** From the moment when the server was told, one for each time and client. */
  changedMs: number[];
  changes: number;
  serverSeconds: number;
  clientSeconds: number;
  missing: number;
}

type FromServer = { is: 'listening'; port: number } | { is: 'changed'; bytes: number };

const LIMIT_MS = 180_000;

/** One workload changed, which concerns every client here. */
export async function runWhole(
  bench: Bench,
  world: FleetWorld,
  estate: FleetEstate,
  plan: { clients: number; perProcess: number; changes: number },
): Promise<WholeFound> {
  bench.progress(`${plan.clients} clients of the whole policy`);
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-whole-'));
  bench.teardown(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'policy.json');
  const text = (time: number): string => estate.whole(0, { ...NOWHERE, everywhere: time % 2 === 1 });
  await writeFile(file, text(0));
  const { certFile, keyFile, caFile } = world.server;
  const args = [file, certFile, keyFile, caFile];
  const server = startFleetProcess<FromServer, { do: 'change' }>(bench, 'fleet-whole-server.ts', args);
  const { port } = await server.next('listening');
  const { clients: count, perProcess, changes } = plan;
  const way = { kind: 'whole', url: `https://127.0.0.1:${port}/policy` } as const;
  const clients = await openClients(bench, { count, perProcess, way, certificates: world.certificates });
  const all = new Set(Array.from({ length: count }, (_, point) => point));
  const cold = await clients.applied(all, await clients.start(), LIMIT_MS);
  const found = { changedMs: [] as number[], missing: cold.missing, packedBytes: 0 };
  const [serverFrom, clientsFrom] = [await server.processorSeconds(), await clients.processorSeconds()];
  for (let time = 1; time <= changes; time += 1) {
    await writeFile(file, text(time));
    const told = server.next('changed');
    const atMs = monotonicMs();
    server.tell({ do: 'change' });
    const { tookMs, missing } = await clients.applied(all, atMs, LIMIT_MS);
    found.changedMs.push(...tookMs);
    found.missing += missing;
    found.packedBytes = (await told).bytes;
    await sleep(500);
  }
  const spent = {
    serverSeconds: (await server.processorSeconds()) - serverFrom,
    clientSeconds: (await clients.processorSeconds()) - clientsFrom,
  };
  await clients.stop();
  await server.stop();
  return { clients: count, bytes: Buffer.byteLength(text(0)), coldMs: cold.tookMs, changes, ...spent, ...found };
}

/** Three nodes, and a user for every few points. */
export async function natsWay(bench: Bench, points: number): Promise<OtherWay> {
  const password = randomBytes(12).toString('hex');
  const store: NatsUser = { user: 'store', password };
  const sites = Array.from({ length: Math.ceil(points / POINTS_PER_CERTIFICATE) }, (_, site) => site);
  const configuration = natsAccounts({
    store,
    points: sites.map((site) => ({
      login: { user: `site-${site}`, password },
      points: Array.from({ length: POINTS_PER_CERTIFICATE }, (_, n) => site * POINTS_PER_CERTIFICATE + n)
        .filter((point) => point < points && certificateOf(point) === site)
        .map(pointName),
    })),
  });
  const cluster = await startNatsCluster({ nodes: 3, configuration });
  bench.teardown(() => cluster.close());
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-nats-'));
  bench.teardown(() => rm(folder, { recursive: true, force: true }));
  const credentialsFile = join(folder, 'store');
  await writeFile(credentialsFile, `store:${password}\n`, { mode: 0o600 });
  const servers = [...cluster.servers];
  return {
    nats: { servers, credentialsFile, replicas: 3 },
    clients: (rootFile, stateDir) => ({ kind: 'nats', servers, password, rootFile, stateDir }),
  };
}
