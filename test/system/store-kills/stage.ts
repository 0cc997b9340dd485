/**
 * Everything real: a store, two sync services that push to the same two NGINX, NATS between them where it is asked for, and
 * each of them in a process of its own that can be killed. Gone when the test is, whatever happened.
 */
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initStore, type NewStore } from '@edgeward/central-store';
import { createLogger, systemClock } from '@edgeward/runtime';
import {
  type Edge,
  freePort,
  type NatsCluster,
  startEdge,
  type TestCertificates,
  testCertificates,
} from '@edgeward/test/kit';
import type { Test } from 'tap';
import { type KillableService, killableService } from '../killable-service.ts';
import type { Dice } from './dice.ts';
import { type Disk, mountDisk } from './disk.ts';
import { bind, points } from './estate.ts';
import { type KillableStore, killableStore } from './killable-store.ts';
import { type Machines, machinesOf } from './machines.ts';
import { type NatsPart, startNats } from './nats-part.ts';
import { type People, peopleOf } from './people.ts';
import { type PublishedBook, publishedBook } from './published-book.ts';
import { type Publisher, publisherOf } from './publisher.ts';

export interface Stage {
  dice: Dice;
  edges: Record<string, Edge>;
  store: KillableStore;
  services: Service[];
  /** Why there is none that can be filled, where there is none. */
  disk: Disk | { reason: string };
  cluster: NatsCluster | null;
  machines: Machines;
  people: People;
  /** Of the store, for people and points. */
  port: number;
  publisher: Publisher;
  published: PublishedBook;
  /** Of the store: `record/`, `mirror/`. */
  stateDir: string;
  made: NewStore;
}

export interface Service extends KillableService {
  name: string;
  stateDir: string;
}

export interface StageOptions {
  dice: Dice;
  nats: boolean;
  /** How seldom a change of the inventory takes somebody's place away for ever. */
  revokeOneIn: number;
}

/** Put together; nothing of Edgeward runs yet but NGINX without a policy. */
export async function openStage(t: Test, options: StageOptions): Promise<Stage> {
  const base = await mkdtemp(join(tmpdir(), 'edgeward-store-kills-'));
  t.teardown(() => rm(base, { recursive: true, force: true, maxRetries: 5 }));
  const certificates = await testCertificates(join(base, 'certificates'));
  const people = await peopleOf(certificates);
  const disk = await mountDisk(t, join(base, 'disk'));
  const stateDir = join(base, 'disk', 'state');
  const made = await makeStore(stateDir, people);
  await copyFile(join(stateDir, 'roots', '1.json'), join(base, 'root.json'));
  const nats = options.nats ? await startNats(t, base, ['store', 'site-0', 'site-1']) : null;
  const edges = await startEdges(t);
  const port = await freePort();
  const published = publishedBook();
  const place = { base, certificates, edges, nats, port };
  const store = killableStore(t, {
    configFile: await writeStoreConfig(place, stateDir),
    beforeStart: () => published.noteMirror(join(stateDir, 'mirror')),
    onPublished: published.note,
  });
  return {
    ...{ dice: options.dice, edges, store, people, port, disk, published, stateDir, made },
    services: [await addService(t, place, 'site-0'), await addService(t, place, 'site-1')],
    cluster: nats?.cluster ?? null,
    machines: machinesOf(join(base, 'inventory'), options.dice, options.revokeOneIn),
    publisher: publisherOf({ people, root: made.root, port }),
  };
}

interface Place {
  base: string;
  certificates: TestCertificates;
  edges: Record<string, Edge>;
  nats: NatsPart | null;
  port: number;
}

function makeStore(dir: string, people: People): Promise<NewStore> {
  return initStore({
    ...{ dir, people: people.listed, clock: systemClock, logger: createLogger({ level: 'silent' }) },
    thresholds: { normal: 1, elevated: 1, root: 1, breakGlassHours: 0 },
    approverKeys: [people.keys.cleo],
  });
}

async function startEdges(t: Test): Promise<Record<string, Edge>> {
  const edges: Record<string, Edge> = {};
  for (const point of points) edges[point] = await startEdge(t, { servers: [{ name: bind }], point, workers: 1 });
  return edges;
}

async function writeStoreConfig({ base, certificates, nats, port }: Place, stateDir: string): Promise<string> {
  const { certFile, keyFile, caFile: clientCaFile } = await certificates.server();
  await mkdir(join(base, 'inventory'));
  const file = join(base, 'edgeward-store.yaml');
  const config = {
    ...{ stateDir, inventory: 'inventory', listen: `127.0.0.1:${port}`, logLevel: 'warn' },
    tls: { certFile, keyFile, clientCaFile },
    metrics: { listen: `127.0.0.1:${await freePort()}` },
    // The revoked are denied, which is no trouble.
    rollout: { settleSeconds: 0, denyFloor: 1_000_000 },
    ...(nats === null ? {} : { nats: { servers: nats.servers, credentialsFile: nats.credentialsFile('store') } }),
  };
  await writeFile(file, JSON.stringify(config));
  return file;
}

async function addService(t: Test, place: Place, name: string): Promise<Service> {
  const folder = join(place.base, name);
  await mkdir(folder);
  const [stateDir, configFile] = [join(folder, 'state'), join(folder, 'edgeward.yaml')];
  const served = Object.entries(place.edges).map(([point, { pushUrl, paths }]) => {
    const { tokenFile, denyLog, lastKnownFile } = paths;
    return [point, { push: pushUrl, tokenFile, denyLog, lastKnownFile }];
  });
  const store = { rootFile: '../root.json', ...(await wayToStore(place, name)) };
  const config = { stateDir, store, points: Object.fromEntries(served), api: { listen: '127.0.0.1:0' } };
  await writeFile(configFile, JSON.stringify(config));
  return { ...killableService(t, { folder, policies: folder, stateDir, configFile }), name, stateDir };
}

async function wayToStore({ certificates, nats, port }: Place, name: string): Promise<object> {
  if (nats !== null) return { urls: nats.servers, credentialsFile: nats.credentialsFile(name) };
  const { certFile, keyFile, caFile } = await certificates.point(...points);
  return { urls: [`https://127.0.0.1:${port}`], certFile, keyFile, caFile };
}
