/**
 * Carries what is in force to NATS, for ever: whatever failed is tried again, and after an outage everything is listed,
 * compared and brought up to date. It holds no queue of changes, so that an outage of a week costs no memory. One process
 * publishes one store.
 */
import { type NatsCredentials, type NatsLink, natsLayout, openNatsLink } from '@edgeward/policy-feed';
import { type Cursor, canonicalJson } from '@edgeward/policy-format';
import {
  backoff,
  type Clock,
  EdgewardError,
  type Logger,
  messageOf,
  type Pause,
  pauseFor,
  whilePausing,
} from '@edgeward/runtime';
import type { NatsConnection } from '@nats-io/transport-node';
import { inParallel } from './in-parallel.ts';
import { carryPoint } from './point-carrier.ts';
import type { Publication, PublishedState } from './published-state.ts';
import { takeReports } from './report-intake.ts';
import { keepBeating } from './store-beat.ts';
import { createStoredState } from './stored-state.ts';
import { openStreams, type Streams } from './streams.ts';

export interface NatsPublicationOptions {
  urls: readonly string[];
  credentials: NatsCredentials;
  tls?: { ca?: string; cert?: string; key?: string };
  /** Copies of every stream: 1, 3 or 5, and never more than there are nodes. */
  replicas: number;
  state: PublishedState;
  /** A report of this point; only type and point of it were looked at. */
  onReport: (point: string, report: Record<string, unknown>) => Promise<void> | void;
  clock: Clock;
  logger: Logger;
  /** How long a blob stays that no head names any more: one hour. */
  blobGraceMs?: number;
  /** How often everything is compared without a reason: five minutes. */
  compareMs?: number;
}

export interface NatsPublication extends Publication {
  status(): NatsPublicationStatus;
  /** Settles when everything told so far is in NATS; rejects with the reason of `signal`. */
  settled(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

export type NatsPublicationStatus = {
  /** Points whose newest state is not known to be there. */
  pending: number;
  reports: { taken: number; refused: number };
} & ({ state: 'current' } | { state: 'behind'; sinceMs: number; error: EdgewardError | null });

const PUT_MS = 4_000;
/** While a leader is elected nobody answers, and asking again soon is what ends the wait. */
const ASK_MS = 1_500;
const POINTS_AT_ONCE = 16;
const SWEEP_MS = 60_000;

/** Throws EDW_ERR_NATS_URL. */
export function createNatsPublication(options: NatsPublicationOptions): NatsPublication {
  const { state, clock, logger, blobGraceMs = 3_600_000, compareMs = 300_000 } = options;
  const { urls, credentials, tls } = options;
  const link = openNatsLink({
    urls,
    credentials,
    ...(tls !== undefined && { tls }),
    inboxPrefix: natsLayout.STORE_INBOX_PREFIX,
    name: 'edgeward store',
    clock,
    logger,
  });
  const stored = createStoredState();
  const ending = new AbortController();
  const pauses = backoff({ baseMs: 250, maxMs: 1_000 });
  const changed = new Set<string>();
  const counts = { taken: 0, refused: 0 };
  let roots: Set<number> | null = null;
  let listed = false;
  let comparedAtMs = Number.NEGATIVE_INFINITY;
  let sweptAtMs = clock.now();
  let behindSinceMs: number | null = clock.now();
  let error: EdgewardError | null = null;
  /** Changes told so far: a round that began before the last of them has not seen it. */
  let told = 0;
  let pause: Pause | null = null;
  const idleMs = Math.max(20, Math.min(SWEEP_MS, blobGraceMs, compareMs));
  const settling = new Set<() => void>();

  async function bringUpToDate(connection: NatsConnection): Promise<void> {
    const streams = await openStreams(connection, { replicas: options.replicas, putMs: PUT_MS, askMs: ASK_MS });
    if (!listed) await list(connection, streams);
    await putRoots(streams);
    const batch = [...changed];
    changed.clear();
    const left = new Set(batch);
    try {
      await inParallel(batch, POINTS_AT_ONCE, async (point) => {
        const hint = (cursor: Cursor): void =>
          connection.publish(natsLayout.hintSubject(point), `${cursor.epoch}.${cursor.revision}`);
        await carryPoint(point, { state, streams, blobs: stored.blobs, heads: stored.heads, hint });
        left.delete(point);
      });
    } finally {
      for (const point of left) changed.add(point);
    }
    if (clock.now() - sweptAtMs < idleMs) return;
    sweptAtMs = clock.now();
    const named = (point: string): readonly string[] => state.head(point)?.blobs ?? [];
    await stored.sweep(streams, named, clock.now(), blobGraceMs);
  }

  async function list(connection: NatsConnection, streams: Streams): Promise<void> {
    await streams.provision();
    const found = await stored.list(streams);
    const own = new Set(state.points());
    if (clock.now() - comparedAtMs >= compareMs) {
      await stored.compare(connection, own, PUT_MS);
      comparedAtMs = clock.now();
    }
    const there = new Set(found.points);
    for (const point of there) if (!own.has(point)) changed.add(point);
    // Somebody took it away, or the whole stream.
    for (const point of own) if (!there.has(point)) stored.heads.delete(point);
    for (const point of own)
      if (stored.heads.get(point)?.payload !== state.head(point)?.signed.payload) changed.add(point);
    roots = found.roots;
    listed = true;
  }

  async function putRoots(streams: Streams): Promise<void> {
    for (const { version, signed } of state.roots()) {
      if (roots?.has(version) === true) continue;
      await streams.put(natsLayout.rootSubject(version), canonicalJson(signed));
      roots?.add(version);
    }
  }

  async function run(): Promise<void> {
    while (!ending.signal.aborted) {
      const at = told;
      try {
        await bringUpToDate(await link.ready(PUT_MS, ending.signal));
        const caughtUp = changed.size === 0 && told === at;
        if (caughtUp) settle();
        pauses.reset();
        if (caughtUp) await nap(idleMs);
      } catch (thrown) {
        if (ending.signal.aborted) return;
        failed(thrown);
        await nap(pauses.nextMs());
      }
      if (clock.now() - comparedAtMs >= compareMs) listed = false;
    }
  }

  function settle(): void {
    if (error !== null) logger.info({ event: 'nats_publication_current', nats: link.name }, 'up to date');
    behindSinceMs = null;
    error = null;
    for (const end of [...settling]) end();
  }

  function failed(thrown: unknown): void {
    // What was answered is known, what was not may lie there or not: look.
    listed = false;
    behindSinceMs ??= clock.now();
    const first = error === null;
    error = publishError(link, thrown);
    if (first) logger.warn({ event: 'nats_publication_behind', nats: link.name, err: thrown }, error.message);
    link.hop('publishing fails');
  }

  /** Until the time is over, or something is told. */
  function nap(limitMs: number): Promise<void> {
    pause = pauseFor(clock, limitMs);
    return whilePausing(pause, ending.signal);
  }

  function tell(): void {
    told += 1;
    behindSinceMs ??= clock.now();
    // A nap after a failure is not cut short by every change: the back-off holds.
    if (error === null) pause?.end();
  }

  const stopUp = link.onUp(() => {
    // Somebody may have made the cluster anew meanwhile.
    listed = false;
    comparedAtMs = Number.NEGATIVE_INFINITY;
    pause?.end();
  });
  const stopBeat = keepBeating(link, clock);
  const stopReports = takeReports({
    link,
    clock,
    logger,
    onReport: async (point, report) => {
      await options.onReport(point, report);
      counts.taken += 1;
    },
    onRefused: () => {
      counts.refused += 1;
    },
  });
  const running = run();

  return {
    headChanged(point) {
      changed.add(point);
      tell();
    },
    rootsChanged: tell,
    status: () => {
      const common = { pending: changed.size, reports: { ...counts } };
      return behindSinceMs === null
        ? { ...common, state: 'current' }
        : { ...common, state: 'behind', sinceMs: behindSinceMs, error };
    },
    settled: (signal) => settledOr(signal, () => behindSinceMs === null, settling),
    async close() {
      ending.abort(new Error('closed'));
      stopUp();
      stopBeat();
      await stopReports();
      await running;
      await link.close();
    },
  };
}

function settledOr(signal: AbortSignal, isThere: () => boolean, settling: Set<() => void>): Promise<void> {
  if (isThere()) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const end = (): void => {
      settling.delete(end);
      signal.removeEventListener('abort', stop);
      resolve();
    };
    const stop = (): void => {
      settling.delete(end);
      reject(signal.reason);
    };
    if (signal.aborted) return stop();
    signal.addEventListener('abort', stop, { once: true });
    settling.add(end);
  });
}

function publishError(link: NatsLink, thrown: unknown): EdgewardError {
  if (thrown instanceof EdgewardError) return thrown;
  const message = `publishing in ${link.name}: ${messageOf(thrown)}`;
  return new EdgewardError('EDW_ERR_NATS_PUBLISH', message, {
    mend: 'It is tried again. Check that a majority of the nodes runs, that JetStream has room, and the rights of the store in its configuration.',
    cause: thrown,
  });
}
