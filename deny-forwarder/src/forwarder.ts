/**
 * The forwarder of one NGINX: its deny log into a spool, the spool to a collector. A line that NGINX wrote is stored there once,
 * over kills of either and whatever lies between; what could not be kept is counted, and its number arrives. NGINX waits for
 * none of it. Composition only.
 */
import { join } from 'node:path';
import { createBatchSender, gapText } from '@edgeward/deny-log';
import { type DenySpool, openDenySpool, type SpoolStatus } from '@edgeward/deny-spool';
import {
  type Clock,
  createMetrics,
  EdgewardError,
  type Lifecycle,
  type Logger,
  makeFolder,
  messageOf,
  openMetricsServer,
  type Registry,
  scrapedGauge,
  systemClock,
  takeStateLock,
} from '@edgeward/runtime';
import type { ForwarderConfig } from './forwarder-config.ts';
import { type ForwarderCounts, forwarderMetrics } from './forwarder-metrics.ts';
import { followLog, type LogIntake } from './log-intake.ts';
import { createSpoolRoom } from './spool-room.ts';
import { type SpoolSender, startSpoolSender } from './spool-sender.ts';

export interface Forwarder {
  /** Of metrics and health. */
  url: string;
  /** The life of its spool. */
  epoch: string;
  registry: Registry;
  spool(): SpoolStatus;
  /** Codes and words of what is wrong now. */
  troubles(): { code: string; message: string }[];
}

export interface ForwarderOptions {
  config: ForwarderConfig;
  version: string;
  logger: Logger;
  /** Closes what is opened here, last first. */
  lifecycle: Lifecycle;
  clock?: Clock | undefined;
  /** What is left free on the disk of the spool: 16 MiB. */
  reserveBytes?: number | undefined;
  pollIntervalMs?: number | undefined;
  lingerMs?: number | undefined;
  idleMs?: number | undefined;
  /** For one batch and its answer: 30 s. */
  timeoutMs?: number | undefined;
}

/** Throws EDW_ERR_STATE_WRITE, EDW_ERR_STATE_IN_USE, and what its metrics' listener throws. */
export async function startForwarder(options: ForwarderOptions): Promise<Forwarder> {
  const { config, version, logger, lifecycle, clock = systemClock } = options;
  await makeFolder(config.spoolDir);
  const release = await takeStateLock(config.spoolDir);
  lifecycle.onClose('state lock', release);
  const folder = join(config.spoolDir, 'spool');
  const spool = await openDenySpool({
    ...{ folder, maxBytes: config.maxSpoolBytes, gapRecord: gapText },
    // The last one stays when all of it is acknowledged: there has to be room beside it.
    segmentBytes: Math.min(MOST_SEGMENT_BYTES, config.maxSpoolBytes / 8),
  });
  lifecycle.onClose('spool', () => spool.close());
  tellOfDamage(spool, logger);
  const registry = createMetrics();
  scrapedGauge(registry, BUILD_INFO, (gauge) => gauge.set({ version }, 1));
  const parts: Parts = { spool, maxBytes: config.maxSpoolBytes, clock, intake: null, sender: null };
  const counts = forwarderMetrics(registry, readingsOf(parts));
  startParts(options, parts, counts, folder);
  const metrics = await openMetricsServer({ at: config.metrics, registry, notReady: () => hindrance(parts), logger });
  lifecycle.onClose('metrics', () => metrics.close());
  const { epoch } = spool;
  logger.info({ event: 'forwarder_started', denyLog: config.denyLog, epoch, metrics: metrics.url }, 'started');
  return { url: metrics.url, epoch, registry, spool: spool.status, troubles: () => troublesOf(parts) };
}

const MOST_SEGMENT_BYTES = 1024 * 1024;

const BUILD_INFO = {
  name: 'edgeward_build_info',
  help: 'Constant 1; the version is a label.',
  labelNames: ['version'],
};

interface Parts {
  spool: DenySpool;
  maxBytes: number;
  clock: Clock;
  intake: LogIntake | null;
  sender: SpoolSender | null;
}

function startParts(options: ForwarderOptions, parts: Parts, counts: ForwarderCounts, folder: string): void {
  const { config, logger, lifecycle, clock = systemClock, reserveBytes = 16 * 1024 * 1024 } = options;
  const { spool, maxBytes } = parts;
  const { url, tls } = config.collector;
  const sender = startSpoolSender({
    ...{ spool, counts, clock, logger, idleMs: options.idleMs },
    sender: createBatchSender({ url, tls, now: clock.now, timeoutMs: options.timeoutMs }),
    unreadBytes: () => parts.intake?.unreadBytes() ?? 0,
  });
  parts.sender = sender;
  lifecycle.onClose('sender', () => sender.close());
  const { pollIntervalMs, lingerMs } = options;
  const intake = followLog({
    ...{ denyLog: config.denyLog, maxUnreadBytes: config.maxUnreadBytes, spool, counts, clock, logger },
    ...{ pollIntervalMs, lingerMs, onKept: sender.wake },
    room: createSpoolRoom({ spool, folder, maxBytes, reserveBytes, now: clock.now }),
  });
  parts.intake = intake;
  lifecycle.onClose('deny log', () => intake.close());
}

function readingsOf(parts: Parts): Parameters<typeof forwarderMetrics>[1] {
  return {
    unreadBytes: () => parts.intake?.unreadBytes() ?? 0,
    isHolding: () => parts.intake?.isHolding() ?? false,
    spool() {
      const { bytes, pending, shed } = parts.spool.status();
      return { bytes, pending, shed: shed?.count ?? 0 };
    },
    maxBytes: parts.maxBytes,
    oldestSeconds() {
      const oldestMs = parts.sender?.oldestMs() ?? null;
      return oldestMs === null ? 0 : Math.max(0, parts.clock.now() - oldestMs) / 1000;
    },
    lastAcknowledgedMs: () => parts.sender?.lastAcknowledgedMs() ?? 0,
    failing: () => troublesOf(parts).map(({ code }) => code),
  };
}

function troublesOf({ intake, sender, spool }: Parts): { code: string; message: string }[] {
  const found = [intake?.error() ?? null, sender?.error() ?? null].filter((it) => it !== null);
  const troubles = found.map((thrown) => ({
    code: thrown instanceof EdgewardError ? thrown.code : 'EDW_ERR_INTERNAL',
    message: messageOf(thrown),
  }));
  if (intake?.isHolding() !== true && spool.status().shed === null) return troubles;
  return [...troubles, { code: 'EDW_ERR_SPOOL_FULL', message: 'there is no room for denials' }];
}

/** Whether it can take in what NGINX writes; whether the collector is there is another question. */
function hindrance({ intake, spool }: Parts): string | null {
  const error = intake?.error() ?? null;
  if (error !== null) return messageOf(error).replaceAll('\n', ' ');
  return spool.status().cause === null && intake?.isHolding() !== true ? null : 'there is no room for denials';
}

/** The end of what a kill interrupted is nothing that anybody was told of; records of a disk that is damaged were. */
function tellOfDamage(spool: DenySpool, logger: Logger): void {
  const { tornBytes, pending } = spool.status();
  if (tornBytes > 0) logger.warn({ event: 'spool_torn', bytes: tornBytes, pending }, 'cut off by a kill, or damaged');
}
