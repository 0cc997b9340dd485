import type { Actual, EnforcementPoint } from '@edgeward/enforcement-point';
import { type Logger, messageOf } from '@edgeward/runtime';
import { formatActive } from '../src/layout.ts';
import { applyPolicy } from './apply.ts';
import { collect } from './collect.ts';
import { entriesOf } from './entries.ts';
import { graceLeftMs, type KnownZone, unknownZone } from './known-zone.ts';
import { isOf, readLastKnown } from './last-known-file.ts';
import { differingEntries } from './push-chunks.ts';
import { createPushClient, type PushClient } from './push-client.ts';

/**
 * One NGINX. What is new is written beside what is in force; the last write switches; what nobody reads any more is
 * deleted a while later. Services that share this NGINX never undo each other: whoever began last writes.
 */
export interface NginxPointOptions {
  name: string;
  /** Where http.conf's push server listens, `http://127.0.0.1:9180`. */
  push: string;
  tokenFile: string;
  /** The file that NGINX loads after a start. */
  lastKnownFile: string;
  logger: Logger;
  /** For one call: 5 s. */
  timeoutMs?: number;
  /** How long what was replaced stays, for requests that began before the switch: 2 s. */
  collectAfterMs?: number;
}

export interface NginxPoint extends EnforcementPoint {
  /** Exact totals that NGINX counted since it started; `epoch` changes with each start. */
  counts(): Promise<VerdictCounts>;
  probe(): Promise<string>;
}

export interface VerdictCounts {
  epoch: string;
  counts: { bind: string; verdict: string; reason: string; total: number }[];
}

export function createNginxPoint(options: NginxPointOptions): NginxPoint {
  const client = createPushClient({
    point: options.name,
    url: options.push,
    tokenFile: options.tokenFile,
    timeoutMs: options.timeoutMs ?? 5000,
  });
  const { lastKnownFile } = options;
  const graceMs = options.collectAfterMs ?? 2000;
  const known = unknownZone();
  const zone = { point: options.name, client, known, lastKnownFile, graceMs };
  let timer: NodeJS.Timeout | null = null;
  let collected = false;
  let queue: Promise<unknown> = Promise.resolve();

  /** Applying and collecting never overlap: what one writes the other might delete. */
  function exclusively<T>(work: () => Promise<T>): Promise<T> {
    const next = queue.then(work, work);
    queue = next.catch(() => {});
    return next;
  }

  function scheduleCollect(afterMs: number): void {
    timer ??= setTimeout(() => {
      timer = null;
      exclusively(collectOnce).catch((cause: unknown) => {
        options.logger.warn(
          { event: 'collect_failed', point: options.name, cause: messageOf(cause) },
          'old entries stay for now',
        );
      });
    }, afterMs).unref();
  }

  async function collectOnce(): Promise<void> {
    await collect(zone);
    // Nobody waits for a grace here, or a push would wait too.
    if (known.retired.length > 0) scheduleCollect(graceLeftMs(known, Date.now()));
  }

  return {
    name: options.name,
    inspect: () => inspect(client, known, lastKnownFile),
    apply: (desired) =>
      exclusively(async () => {
        const applied = await applyPolicy(zone, desired);
        // Once without a write too: an earlier process may have died before it collected.
        if (applied.writes > 0 || !collected) scheduleCollect(graceMs);
        collected = true;
        return applied;
      }),
    probe: async () => {
      const state = await client.state();
      return `${state.bootId} ${state.active === null ? 'empty' : formatActive(state.active)}`;
    },
    counts: async () => {
      const { epoch, counts } = await client.counts();
      return { epoch, counts: counts.map(parseCount) };
    },
    close: async () => {
      if (timer !== null) clearTimeout(timer);
      await queue;
      if (timer !== null) clearTimeout(timer);
      client.close();
    },
  };
}

async function inspect(client: PushClient, known: KnownZone, lastKnownFile: string): Promise<Actual> {
  const state = await client.state();
  if (state.active === null) return { state: 'empty' };
  const { revision, hash } = state.active;
  const drift: string[] = [];
  const last = await readLastKnown(lastKnownFile);
  if (last === null) drift.push(`the last-known file ${lastKnownFile} is missing or damaged`);
  else if (!isOf(last, state.active))
    drift.push(`the last-known file ${lastKnownFile} holds revision ${last.active.revision}`);
  // A driver that is new compares with what its predecessor wrote down.
  const predecessors = last?.active.hash === hash ? last.entries : [];
  const expected = known.layout?.active.hash === hash ? [...entriesOf(known.layout)] : predecessors;
  const differing = await differingEntries(client, expected);
  if (differing.length > 0)
    drift.push(`about ${differing.length} of ${expected.length} entries differ from what was pushed`);
  // A push is whole or not there: what is swept later was never in force.
  return { state: 'loaded', revision, hash, drift, unfinished: [] };
}

function parseCount([key, total]: [string, number]): VerdictCounts['counts'][number] {
  const [bind = '', verdict = '', reason = ''] = key.split('\t');
  return { bind, verdict, reason, total };
}
