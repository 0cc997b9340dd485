import { hostname } from 'node:os';
import { join } from 'node:path';
import type { CompiledPolicy } from '@edgeward/policy';
import { openPolicyCache } from '@edgeward/policy-cache';
import type { Observed, Transport } from '@edgeward/policy-feed';
import { type Lifecycle, type Logger, systemClock } from '@edgeward/runtime';
import type { ServiceConfig, StoreConfig } from './config.ts';
import { offerDirectory } from './directory-source.ts';
import type { PolicySource } from './policy-source.ts';
import { cacheFolder } from './published-policy.ts';
import { createPublisher } from './publisher.ts';
import { openTransport, readPinnedRoot } from './store/open-transport.ts';
import { createStorePolicy } from './store/store-policy.ts';
import { followWorkloadNames, noNames, type WorkloadNames } from './store/workload-names.ts';

/** A denial that is recorded before they are there has no name for its source, for ever; no store is waited for longer. */
const FIRST_NAMES_MS = 2000;

/** The policy source that the configuration names: a directory compiled here, or a central store. */
export interface PolicySourceOptions {
  config: ServiceConfig;
  logger: Logger;
  lifecycle: Lifecycle;
  /** A point is to hold this. */
  publish(point: string, policy: CompiledPolicy): void;
  /** For a central store: what a point itself holds. */
  observe(point: string): Observed;
}

export function openPolicySource(options: PolicySourceOptions): Promise<PolicySource> {
  const { store } = options.config;
  return store === null ? openDirectory(options) : openStore(options, store);
}

async function openDirectory(options: PolicySourceOptions): Promise<PolicySource> {
  const { config, logger, lifecycle } = options;
  const cache = await openPolicyCache({ dir: cacheFolder(config), logger });
  lifecycle.onClose('policy cache', () => cache.close());
  const publisher = createPublisher({
    points: pointsOf(config),
    cache,
    clock: systemClock,
    logger,
    publish: (policies) => {
      for (const policy of policies.values()) cache.remember(policy);
      for (const [point, policy] of policies) options.publish(point, policy);
    },
  });
  lifecycle.onClose('publisher', () => publisher.close());
  const offers = offerDirectory(config.policies, publisher, logger);
  return {
    policy: publisher,
    directory: config.policies,
    store: null,
    followers: () => [],
    versionOf: () => null,
    evidence: null,
    async start() {
      const loaded = await cache.loadSnapshot();
      if (loaded.state === 'loaded') await publisher.restore(loaded.snapshot);
      await offers.start();
    },
    close: () => offers.close(),
  };
}

async function openStore(options: PolicySourceOptions, config: StoreConfig): Promise<PolicySource> {
  const { logger, lifecycle } = options;
  const points = pointsOf(options.config);
  const pinnedRoot = await readPinnedRoot(config);
  const transport = await openTransport(config, points, logger);
  lifecycle.onClose('way to the store', () => transport.close());
  const names = namesOf(config, transport, logger);
  lifecycle.onClose('names of workloads', () => names.close());
  const policy = createStorePolicy({
    points,
    hosts: (options.config.hosts?.points ?? []).map(({ name }) => name),
    transport,
    pinnedRoot,
    stateDir: join(options.config.stateDir, 'store'),
    service: hostname(),
    pollMs: config.pollMs,
    names,
    clock: systemClock,
    logger,
    publish: options.publish,
    observe: options.observe,
  });
  lifecycle.onClose('policy of the store', () => policy.close());
  return {
    policy,
    directory: null,
    store: transport.name,
    followers: policy.followers,
    versionOf: policy.versionOf,
    evidence: policy.evidence,
    async start() {
      await policy.start();
      await Promise.race([names.asked(), new Promise((resolve) => setTimeout(resolve, FIRST_NAMES_MS).unref())]);
    },
    // Followers stop after the points: until then a point may be told something.
    close: async () => {},
  };
}

function namesOf(config: StoreConfig, transport: Transport, logger: Logger): WorkloadNames {
  if (!config.inventory) return noNames;
  if (transport.inventory !== undefined) return followWorkloadNames({ transport, clock: systemClock, logger });
  logger.info(
    { event: 'names_unavailable', store: transport.name },
    'this way to the store carries no names: denials are recorded without those of their sources',
  );
  return noNames;
}

function pointsOf(config: ServiceConfig): string[] {
  return [...config.points, ...config.bigips, ...(config.hosts?.points ?? [])].map((point) => point.name);
}
