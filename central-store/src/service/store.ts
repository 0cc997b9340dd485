import { join } from 'node:path';
import type { PointReport } from '@edgeward/policy-format';
import {
  type Clock,
  createMetrics,
  type Lifecycle,
  type Logger,
  messageOf,
  openMetricsServer,
  systemClock,
} from '@edgeward/runtime';
import type { StoreServiceConfig } from '../config.ts';
import { openStoreFolder, type StoreFolder } from '../folder/store-folder.ts';
import { createMembership } from '../membership/index.ts';
import { createPublishing, type Publishing } from '../publishing/index.ts';
import { type InventoryDirectory, openInventoryDirectory } from '../publishing/inventory-directory.ts';
import { mirrorInventory } from '../publishing/inventory-mirror.ts';
import { workloadDocuments } from '../publishing/inventory-text.ts';
import { createRollout, type Rollout } from '../rollout/index.ts';
import {
  openReportShelf,
  openServing,
  type ReportShelf,
  type Serving,
  type StoreStatus,
  storeStatus,
} from '../serving/index.ts';
import { openNats } from './nats.ts';
import { storeMetrics } from './store-metrics.ts';

/** The store as one process: folder, record, proposals, publishing, inventory, network. Composition only. */
export interface Store {
  /** `https://0.0.0.0:9443` */
  url: string;
  port: number;
  metricsUrl: string;
  status(): StoreStatus;
  publishing: Publishing;
  rollout: Rollout;
  reports: ReportShelf;
  folder: StoreFolder;
}

export interface StoreOptions {
  config: StoreServiceConfig;
  version: string;
  logger: Logger;
  /** Closes what is opened here, last first. */
  lifecycle: Lifecycle;
  clock?: Clock;
}

/** Throws EDW_ERR_STORE_…, EDW_ERR_STATE_…, EDW_ERR_TLS, EDW_ERR_SECRET_FILE, EDW_ERR_PORT_IN_USE, EDW_ERR_LISTEN. */
export async function startStore(options: StoreOptions): Promise<Store> {
  const { config, logger, lifecycle, clock = systemClock } = options;
  let inventory: InventoryDirectory | null = null;
  let workloads: Publishing['workloads'] | null = null;
  let rolling: Rollout | null = null;
  let serving: Serving | null = null;
  const folder = await openStoreFolder({
    dir: config.stateDir,
    clock,
    logger,
    inventory: () => (workloads === null ? [] : workloadDocuments(workloads)),
    rollout: () => rolling?.status() ?? { version: null, state: 'none' },
  });
  lifecycle.onClose('store folder', () => folder.close());
  const { record, roots, proposals } = folder;
  const registry = createMetrics();
  const publishing = await createPublishing({
    ...{ store: folder.store, dir: folder.dir, membership: createMembership(), clock, logger, headMs: config.headMs },
    checkpoint: () => record.checkpoint(),
    onCompiled: ({ seconds, published }) => metrics.compiled(seconds, published),
  });
  lifecycle.onClose('publishing', () => publishing.close());
  workloads = publishing.workloads;
  const rollout = await createRollout({
    ...{ dir: folder.dir, config: config.rollout, record, proposals, publishing, clock, logger, registry },
    root: () => roots.newest(),
  });
  rolling = rollout;
  lifecycle.onClose('rollout', () => rollout.close());
  const reports = await openReportShelf({
    ...{ dir: folder.dir, clock, logger },
    onTaken(report) {
      rollout.heard(report);
      numberAbove(publishing, report, logger);
    },
  });
  lifecycle.onClose('reports', () => reports.close());
  const status = (): StoreStatus =>
    storeStatus({
      ...{ store: folder.store, publishing, proposals, record, reports },
      rollout: () => rollout.status(),
      root: () => roots.newest(),
      inventoryError: () => errorIn(inventory),
      nowMs: () => clock.now(),
    });
  const metrics = storeMetrics(registry, {
    ...{ version: options.version, publishing, reports, status },
    counts: () => serving?.counts() ?? null,
    nowMs: () => clock.now(),
  });
  await trust(folder, publishing);
  const nats = await openNats({ config: config.nats, folder, publishing, reports, clock, logger });
  if (nats !== null) lifecycle.onClose('nats', () => nats.close());
  const unfollow = followRoots(folder, publishing, logger, () => nats?.rootsChanged());
  lifecycle.onClose('trust roots', unfollow);
  // Both before the first head: what an earlier process published is served until then.
  inventory = await openInventoryDirectory({ dir: config.inventory, onEdits: publishing.submitInventory, logger });
  const watched = inventory;
  lifecycle.onClose('inventory', () => watched.close());
  lifecycle.onClose(
    'inventory in the mirror',
    mirrorInventory({
      ...{ dir: join(folder.dir, 'mirror'), workloads: publishing.workloads, clock, logger },
      changes: () => publishing.status().inventory.changes,
    }),
  );
  await rollout.start();
  serving = await openServing({
    ...{ ...config.listen, tls: config.tls, limits: config.rateLimits },
    ...{ publishing, proposals, record, reports, rollout, status, clock, logger },
    root: () => roots.newest(),
  });
  const listening = serving;
  lifecycle.onClose('serving', () => listening.close());
  const health = await openMetricsServer({
    at: config.metrics,
    registry,
    notReady: () => notReady(publishing),
    logger,
  });
  lifecycle.onClose('metrics', () => health.close());
  logger.info({ event: 'store_listening', url: serving.url, store: folder.store }, 'listening');
  return { url: serving.url, port: serving.port, metricsUrl: health.url, status, publishing, rollout, reports, folder };
}

async function trust({ roots, storeKey }: StoreFolder, publishing: Publishing): Promise<void> {
  const newest = roots.newest();
  const older = Array.from({ length: newest.version - 1 }, (_, i) => i + 1).flatMap((version) => {
    const document = roots.signed(version);
    return document === null ? [] : [{ version, document }];
  });
  await publishing.setTrust({ root: newest, document: roots.newestSigned(), storeKey: await storeKey() }, older);
}

/** A point that was served by a directory, or by another store, holds numbers of its own. */
function numberAbove(publishing: Publishing, { point, applied }: PointReport, logger: Logger): void {
  const given = publishing.point(point)?.head.revision;
  if (applied === null || given === undefined || applied <= given) return;
  publishing
    .foundRevision(point, applied)
    .catch((thrown: unknown) => logger.error({ event: 'not_numbered', point, err: thrown }, messageOf(thrown)));
}

/** A trust root that people published comes into force. The answer ends it, when what was begun is done. */
function followRoots(
  folder: StoreFolder,
  publishing: Publishing,
  logger: Logger,
  onRoot: () => void,
): () => Promise<void> {
  let working: Promise<void> = Promise.resolve();
  const stop = folder.proposals.onPublished(({ kind }) => {
    if (kind !== 'root') return;
    working = working
      .then(async () => {
        await trust(folder, publishing);
        onRoot();
      })
      .catch((thrown: unknown) => logger.error({ event: 'not_in_force', err: thrown }, messageOf(thrown)));
  });
  return () => {
    stop();
    return working;
  };
}

function errorIn(inventory: InventoryDirectory | null): StoreStatus['inventory']['error'] {
  const error = inventory?.error() ?? null;
  return error === null ? null : { code: error.code, message: error.message, mend: error.mend };
}

/** Ready when points can be served; what waits for a person is no reason to be restarted. */
function notReady(publishing: Publishing): string | null {
  return publishing.status().undelivered === 0 ? null : 'some points could not be given what they are to have';
}
