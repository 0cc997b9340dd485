/**
 * A store behind NATS JetStream. Reads name their subject and make no consumer, so that a user's rights say exactly which
 * points it may read. What wakes a waiting `next` is a hint and nothing more: the head is looked at every few seconds in
 * any case, because watches were seen to stall in silence after a node died.
 */
import { canonicalJson, type PointReport } from '@edgeward/policy-format';
import { backoff, type Clock, type Logger, systemClock } from '@edgeward/runtime';
import { ROOT_WIRE_BYTES, readSigned } from '../documents.ts';
import { storeFailure } from '../failures.ts';
import { checkPointName } from '../point-name.ts';
import type { News, Transport } from '../transport.ts';
import type { NatsCredentials } from './credentials.ts';
import { createDirectReader } from './direct-read.ts';
import { type HintBoard, openHintBoard } from './hint-board.ts';
import { inboxPrefix, reportSubject, rootSubject, STREAMS } from './layout.ts';
import { type NatsLink, openNatsLink } from './link.ts';
import { natsFailure, untilAborted } from './nats-failure.ts';
import { createPointBlobs } from './point-blobs.ts';
import { createPointHeads } from './point-heads.ts';

/** After a hint that a copy lagged behind: it has caught up in some milliseconds, or is being brought up. */
const LAG_MS = 50;

export interface NatsTransportOptions {
  /** `tls://HOST:PORT` of each node; `nats://` for literal loopback addresses. */
  urls: readonly string[];
  credentials: NatsCredentials;
  /** PEM texts. Without `ca` the system's authorities are believed. */
  tls?: { ca?: string; cert?: string; key?: string };
  /** Those that the user of these credentials has, at least one. */
  points: readonly string[];
  logger: Logger;
  clock?: Clock;
  /** How often a waiting `next` looks without a hint, about: 5000 ms. */
  lookMs?: number;
  /** One attempt of one read, of at most three: 2000 ms. */
  attemptMs?: number;
  random?: () => number;
}

/** Throws EDW_ERR_NATS_URL, EDW_ERR_STORE_NO_POINT. Connects in the background, and for ever. */
export function createNatsTransport(options: NatsTransportOptions): Transport {
  const { logger, clock = systemClock, lookMs = 5_000, attemptMs = 2_000, random = Math.random } = options;
  for (const point of options.points) checkPointName(point);
  const [first] = options.points;
  if (first === undefined)
    throw storeFailure('EDW_ERR_STORE_NO_POINT', 'connecting to NATS: there is no point to ask for');
  const { urls, credentials, tls } = options;
  const link = openNatsLink({
    urls,
    credentials,
    ...(tls !== undefined && { tls }),
    inboxPrefix: inboxPrefix(first),
    name: `edgeward ${first}`,
    clock,
    logger,
    random,
  });
  const board = openHintBoard({ link, clock, random });
  const read = createDirectReader(link, attemptMs);
  const heads = createPointHeads(read, link.name);
  const nextLookMs = (): number => lookMs * (0.75 + random() / 2);

  return {
    name: link.name,
    waits: true,
    async next(point, known, { waitMs, signal }) {
      checkPointName(point);
      const endMs = performance.now() + waitMs;
      const bell = openBell(board, point);
      const lagging = backoff({ baseMs: LAG_MS, maxMs: lookMs, random });
      try {
        for (;;) {
          signal.throwIfAborted();
          bell.reset();
          const news: News = await heads.look(point, known, { renewals: waitMs === 0, signal });
          const leftMs = endMs - performance.now();
          if (news.state !== 'unchanged' || leftMs <= 0) return news;
          const lookInMs = board.isAhead(point, known) ? lagging.nextMs() : nextLookMs();
          if (await bell.rung(Math.min(leftMs, lookInMs), signal)) lagging.reset();
        }
      } finally {
        bell.close();
      }
    },
    blob: createPointBlobs(read, { name: link.name, points: options.points }),
    async root(version, signal) {
      if (!Number.isSafeInteger(version) || version < 1) return null;
      const doing = `asking ${link.name} for trust root ${version}`;
      const stream = STREAMS.roots;
      const message = await read({ stream, subject: rootSubject(version), doing, maxBytes: ROOT_WIRE_BYTES, signal });
      if (message === null || message.bytes.length === 0) return null;
      return readSigned(message.bytes, doing, ROOT_WIRE_BYTES);
    },
    hints(points, onHint) {
      const ends = points.map((point) => board.listen(point, () => onHint(point)));
      return () => {
        for (const end of ends) end();
      };
    },
    report: (report, signal) => sendReport(link, report, attemptMs, signal),
    async close() {
      board.close();
      await link.close();
    },
  };
}

/** Nobody answers a report: an answer goes wherever the sender wishes, and the next one is a minute away. */
async function sendReport(link: NatsLink, report: PointReport, limitMs: number, signal: AbortSignal): Promise<void> {
  const doing = `telling ${link.name} how ${report.point} is`;
  checkPointName(report.point);
  const subject = reportSubject(report.point);
  const before = link.refusals(subject);
  try {
    const connection = await link.ready(limitMs, signal);
    connection.publish(subject, canonicalJson(report));
    // The server's word about what was published comes before its answer to this.
    await untilAborted(within(connection.flush(), limitMs), signal);
  } catch (thrown) {
    if (signal.aborted) throw signal.reason;
    throw natsFailure(doing, thrown);
  }
  if (link.refusals(subject) > before)
    throw storeFailure('EDW_ERR_STORE_REFUSED', `${doing}: this user may not speak for that point`);
}

async function within(work: Promise<void>, limitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${limitMs} ms`)), limitMs);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

interface Bell {
  reset(): void;
  /** A hint since `reset`, or the time: whether it was a hint. */
  rung(limitMs: number, signal: AbortSignal): Promise<boolean>;
  close(): void;
}

function openBell(board: HintBoard, point: string): Bell {
  let rang = false;
  let wake: () => void = () => {};
  const close = board.listen(point, () => {
    rang = true;
    wake();
  });
  return {
    reset: () => {
      rang = false;
    },
    async rung(limitMs, signal) {
      if (rang) return true;
      let timer: NodeJS.Timeout | undefined;
      const rings = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, limitMs);
        wake = resolve;
      });
      try {
        await untilAborted(rings, signal);
      } finally {
        clearTimeout(timer);
      }
      return rang;
    },
    close,
  };
}
