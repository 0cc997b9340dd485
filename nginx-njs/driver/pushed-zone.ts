import type { Actual, Applied } from '@edgeward/enforcement-point';
import type { CompiledPolicy } from '@edgeward/policy';
import { type Logger, messageOf } from '@edgeward/runtime';
import { type Active, formatActive } from '../src/layout.ts';
import { applyPolicy } from './apply.ts';
import { begin, collect } from './collect.ts';
import { hasDelta } from './entries.ts';
import { graceLeftMs, recognise, unknownZone } from './known-zone.ts';
import { isOf, readLastKnown } from './last-known-file.ts';
import { createLastKnownWriter } from './last-known-writer.ts';
import { differingEntries } from './push-chunks.ts';
import type { PushClient } from './push-client.ts';
import { expectedEntries } from './zone-layout.ts';

/**
 * One zone of one NGINX, whichever module it belongs to, and the file that is loaded into it after a start. What is new
 * is written beside what is in force; the last write switches; what nobody reads any more is deleted a while later.
 */
export interface PushedZone {
  apply(desired: CompiledPolicy): Promise<Applied>;
  inspect(): Promise<Actual>;
  /** The revision in force; 0: none. */
  held(): Promise<number>;
  /** Changes when the zone starts empty, and with each switch. */
  probe(): Promise<string>;
  /** Whoever else was about to switch has to look again; the policy that is in force now stays until then. */
  claim(): Promise<Active | null>;
  /** Closes the client too. */
  close(): Promise<void>;
}

export interface PushedZoneOptions {
  point: string;
  client: PushClient;
  lastKnownFile: string;
  /** How long what was replaced stays, for requests that began before the switch. */
  graceMs: number;
  logger: Logger;
  /** When nothing was pushed for so long, deltas are taken into whole tables: 10 minutes. */
  wholeAfterMs?: number;
  /** Before the write that switches; what it throws fails the push. */
  beforeSwitch?: ((desired: CompiledPolicy) => Promise<void>) | undefined;
  snapshots?: string | undefined;
}

export function createPushedZone(options: PushedZoneOptions): PushedZone {
  const { client, point, graceMs, logger, lastKnownFile } = options;
  const known = unknownZone();
  const lastKnown = createLastKnownWriter(lastKnownFile, (cause) => {
    logger.warn({ event: 'last_known_failed', point, cause: messageOf(cause) }, 'the last-known file is behind');
  });
  const zone = { ...options, known, lastKnown };
  const view = { client, known, lastKnown: () => readLastKnown(lastKnownFile) };
  let applied: CompiledPolicy | null = null;
  let timer: NodeJS.Timeout | null = null;
  let wholeTimer: NodeJS.Timeout | null = null;
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
        logger.warn({ event: 'collect_failed', point, cause: messageOf(cause) }, 'old entries stay for now');
      });
    }, afterMs).unref();
  }

  async function collectOnce(): Promise<void> {
    await collect(zone);
    // Nobody waits for a grace here, or a push would wait too.
    if (known.retired.length > 0) scheduleCollect(graceLeftMs(known, performance.now()));
  }

  /** One read less a verdict, and whoever comes after us knows every table by its name. */
  function scheduleWhole(): void {
    if (wholeTimer !== null) clearTimeout(wholeTimer);
    wholeTimer = setTimeout(() => {
      exclusively(makeWhole).catch((cause: unknown) => {
        logger.info({ event: 'whole_failed', point, cause: messageOf(cause) }, 'deltas stay for now');
      });
    }, options.wholeAfterMs ?? 600_000).unref();
  }

  async function makeWhole(): Promise<void> {
    if (applied === null || known.layout === null || !hasDelta(known.layout)) return;
    await applyPolicy({ ...zone, whole: true }, applied);
    scheduleCollect(graceMs);
  }

  function clearTimers(): void {
    if (timer !== null) clearTimeout(timer);
    if (wholeTimer !== null) clearTimeout(wholeTimer);
  }

  async function inspect(): Promise<Actual> {
    await lastKnown.settle();
    const state = await client.state();
    if (state.active === null) return { state: 'empty' };
    const drift: string[] = [];
    const last = await readLastKnown(lastKnownFile);
    if (last === null) drift.push(`the last-known file ${lastKnownFile} is missing or damaged`);
    else if (!isOf(last, state.active))
      drift.push(`the last-known file ${lastKnownFile} holds revision ${last.active.revision}`);
    const expected = [...(await expectedEntries({ ...view, lastKnown: async () => last }, state, applied))];
    const differing = await differingEntries(client, expected);
    if (differing.length > 0)
      drift.push(`about ${differing.length} of ${expected.length} entries differ from what was pushed`);
    const { revision, hash } = state.active;
    // A push is whole or not there: what is swept later was never in force.
    return { state: 'loaded', revision, hash, drift, unfinished: [] };
  }

  return {
    inspect,
    apply: (desired) =>
      exclusively(async () => {
        const written = await applyPolicy(zone, desired);
        applied = desired;
        if (known.littered || known.retired.length > 0) scheduleCollect(graceMs);
        scheduleWhole();
        return written;
      }),
    held: async () => (await client.state()).active?.revision ?? 0,
    probe: async () => {
      const state = await client.state();
      return `${state.bootId} ${state.active === null ? 'empty' : formatActive(state.active)}`;
    },
    claim: () =>
      exclusively(async () => {
        recognise(known, await client.state());
        await begin(client, known);
        return (await client.state()).active;
      }),
    close: async () => {
      clearTimers();
      await queue;
      clearTimers();
      await lastKnown.settle();
      client.close();
    },
  };
}
