/**
 * A signed world that is published in a real NATS cluster, with a user for each point: for tests of whoever follows it and
 * of whoever must not.
 */
import { randomBytes } from 'node:crypto';
import { createNatsPublication, type NatsPublication, type PublishedState } from '@edgeward/central-store';
import { type NatsCredentials, natsAccounts } from '@edgeward/policy-feed';
import { createLogger, systemClock } from '@edgeward/runtime';
import { type NatsCluster, startNatsCluster } from './nats.ts';
import { publishedWorld } from './published-world.ts';
import type { SignedWorld } from './signed-world.ts';

export interface NatsStore {
  readonly cluster: NatsCluster;
  readonly world: SignedWorld;
  readonly publication: NatsPublication;
  readonly storeCredentials: NatsCredentials;
  /** The user of this point; `site` has all of them. */
  credentials(user: string): NatsCredentials;
  /** Points that are in force; a test may change it. */
  readonly points: Set<string>;
  readonly reports: { point: string; report: Record<string, unknown> }[];
  /** Tells the publication what changed in the world, and waits until NATS has it. */
  bring(points?: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

export interface NatsStoreOptions {
  world: SignedWorld;
  nodes: 1 | 3;
  points: readonly string[];
  tls?: { certFile: string; keyFile: string; caFile: string; ca: string };
  blobGraceMs?: number;
  compareMs?: number;
  /** What is published instead of the plain world. */
  state?: (state: PublishedState) => PublishedState;
  /** Another configuration of the server than the product writes. */
  rewrite?: (configuration: string) => string;
}

const BRING_MS = 60_000;

export async function startNatsStore(options: NatsStoreOptions): Promise<NatsStore> {
  const { world, nodes, tls } = options;
  const users = ['store', 'site', ...options.points];
  const passwords = new Map(users.map((user) => [user, randomBytes(12).toString('hex')]));
  const passwordOf = (user: string): string => passwords.get(user) ?? '';
  const credentials = (user: string): NatsCredentials => ({ kind: 'password', user, password: passwordOf(user) });
  const written = natsAccounts({
    store: { user: 'store', password: passwordOf('store') },
    points: [
      { login: { user: 'site', password: passwordOf('site') }, points: options.points },
      ...options.points.map((point) => ({ login: { user: point, password: passwordOf(point) }, points: [point] })),
    ],
  });
  const configuration = options.rewrite?.(written) ?? written;
  const cluster = await startNatsCluster({ nodes, configuration, ...(tls !== undefined && { tls }) });
  const points = new Set(options.points);
  const reports: NatsStore['reports'] = [];
  const { blobGraceMs, compareMs } = options;
  const publication = createNatsPublication({
    urls: cluster.servers,
    credentials: credentials('store'),
    ...(tls !== undefined && { tls: { ca: tls.ca } }),
    replicas: nodes,
    state: (options.state ?? ((it) => it))(publishedWorld(world, points)),
    onReport: (point, report) => void reports.push({ point, report }),
    clock: systemClock,
    logger: createLogger({ level: 'silent' }),
    ...(blobGraceMs !== undefined && { blobGraceMs }),
    ...(compareMs !== undefined && { compareMs }),
  });
  return {
    cluster,
    world,
    publication,
    storeCredentials: credentials('store'),
    credentials,
    points,
    reports,
    async bring(changed = [...points]) {
      for (const point of changed) publication.headChanged(point);
      publication.rootsChanged();
      await publication.settled(AbortSignal.timeout(BRING_MS));
    },
    async close() {
      await publication.close();
      await cluster.close();
    },
  };
}
