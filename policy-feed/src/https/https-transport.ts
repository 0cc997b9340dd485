/**
 * A store over HTTPS, under a client certificate that names the points served here. Blobs are asked for at mirrors first,
 * without credentials and without trust: their bytes are compared with the digest before they count, and a mirror that
 * fails costs time only.
 */
import { type Digest, digestOf, type PointReport, type SignedDocument } from '@edgeward/policy-format';
import { type Clock, type Logger, messageOf, systemClock } from '@edgeward/runtime';
import { ROOT_WIRE_BYTES, readSigned } from '../documents.ts';
import { INVENTORY_BYTES } from '../inventory-lines.ts';
import { checkPointName } from '../point-name.ts';
import { createSeenHeads } from '../seen-heads.ts';
import type { Transport } from '../transport.ts';
import { createSite, type Site } from './call.ts';
import { shareHints } from './hint-sharing.ts';
import { followHints } from './hint-stream.ts';
import { inventoryFrom } from './inventory.ts';
import { createJointQuestions } from './joint-questions.ts';
import { type Resolver, systemResolver } from './pinned-lookup.ts';
import { createPointNews, type PointNews } from './point-news.ts';
import { createPointQuestions } from './point-questions.ts';
import { refusalOf } from './refusals.ts';
import { storeUrlOf } from './store-url.ts';
import { anonymousIdentity, type TlsTexts, tlsIdentity } from './tls-identity.ts';
import { createTurns } from './turns.ts';

export interface HttpsTransportOptions {
  /** `https://store:9443`; `http` for a literal loopback address only. */
  url: string;
  /** PEM texts; null over loopback without TLS. */
  tls: TlsTexts | null;
  /** Where blobs are asked for first: `BASE/blobs/sha256/HEX`. */
  mirrors?: readonly string[];
  logger: Logger;
  clock?: Clock;
  resolver?: Resolver;
  /** Of a call beside what it waits: 10 s. */
  callMs?: number;
  random?: () => number;
}

/**
 * With its handshake. After a restart of a store thousands wait for theirs: whoever gives up and begins anew makes it longer
 * for all. A call ends at its own limit meanwhile.
 */
const CONNECT_MS = 20_000;
/** Between two pieces of an answer. */
const SILENCE_MS = 15_000;
/** A stream of hints says at least a comment within this time, or is opened anew. */
const STREAM_SILENCE_MS = 60_000;
/** Longer than the pause between two polls, and than most after a failure. */
const IDLE_MS = 15_000;
/** Of an answer that nobody reads. */
const ANSWER_BYTES = 16 * 1024;
/** Of what one service asks that is answered at once, and of blobs from a mirror. */
const AT_ONCE = 4;
/** A service that starts opens one more connection for each so many points, up to that. */
const POINTS_A_CALL = 8;
/** A blob may take longer the larger it may be: at no less than this many bytes a second. */
const SLOWEST_BYTES_PER_S = 256 * 1024;

/** Throws EDW_ERR_STORE_URL, EDW_ERR_STORE_CERTIFICATE. */
export function createHttpsTransport(options: HttpsTransportOptions): Transport {
  const { logger, clock = systemClock, random = Math.random } = options;
  const points = new Set<string>();
  const sites = openSites(options, () => Math.min(AT_ONCE, 1 + Math.floor(points.size / POINTS_A_CALL)));
  const callMs = options.callMs ?? 10_000;
  const seen = createSeenHeads();
  const news = createPointNews(sites.store, callMs, seen);
  const now = createPointNews(sites.calls, callMs, seen);
  const either: PointNews = {
    next: (point, known, asked) => (asked.waitMs > 0 ? news : now).next(point, known, asked),
  };
  const report = (told: PointReport, signal: AbortSignal): Promise<void> => send(sites.calls, told, callMs, signal);
  const alone = createPointQuestions({ site: sites.store, news: either, report, clock, callMs });
  const questions = createJointQuestions({ site: sites.store, alone, clock, callMs });

  return {
    name: sites.store.url.origin,
    waits: true,
    async next(point, known, asked) {
      checkPointName(point);
      points.add(point);
      if (known === null) questions.expect(point);
      return either.next(point, known, asked);
    },
    async question(point, asked, signal) {
      checkPointName(point);
      return questions.ask(point, asked, signal);
    },
    blob: (digest, maxBytes, signal) => blobFrom(sites, { digest, maxBytes, signal, callMs }, logger),
    root: (version, signal) => rootFrom(sites.calls, version, callMs, signal),
    hints: shareHints((onHint) => followHints({ site: sites.hints, onHint, clock, logger, random })),
    report,
    inventory: (known, signal) =>
      inventoryFrom(sites.store, { known, signal, limitMs: callMs + slowestMs(INVENTORY_BYTES) }),
    ...(options.tls !== null && { renew: (tls: TlsTexts) => renewSites(sites, tls) }),
    close: async () => {
      await Promise.all([sites.store, sites.hints, ...sites.mirrors].map((site) => site.close()));
    },
  };
}

interface Sites {
  /** For whatever waits there. */
  store: Site;
  /**
   * The same, for what is answered at once: few at a time, so that a service that starts with a hundred points opens few
   * connections, and the next question finds one of them free.
   */
  calls: Site;
  hints: Site;
  mirrors: Site[];
}

function openSites(options: HttpsTransportOptions, atOnce: () => number): Sites {
  const url = storeUrlOf(options.url, 'store');
  const mirrorUrls = (options.mirrors ?? []).map((mirror) => storeUrlOf(mirror, 'mirror'));
  const resolver = options.resolver ?? systemResolver;
  const identity = options.tls === null ? anonymousIdentity(null) : tlsIdentity(options.tls);
  const common = { resolver, connectTimeoutMs: CONNECT_MS, silenceMs: SILENCE_MS };
  const anyone = mirrorUrls.length === 0 ? identity : anonymousIdentity(options.tls?.ca ?? null);
  const mirror = { ...common, identity: anyone, connections: AT_ONCE, idleMs: IDLE_MS };
  // A long poll is as silent as it is long; its own deadline bounds it.
  const store = createSite({ ...common, url, identity, connections: null, idleMs: IDLE_MS });
  const calls = createTurns(atOnce);
  return {
    store,
    // Whoever waits for a turn has its whole time when it comes.
    calls: { ...store, call: (ask, signal) => calls.take(() => store.call(ask, signal), signal) },
    hints: createSite({ ...common, url, identity, connections: 1, silenceMs: STREAM_SILENCE_MS, idleMs: IDLE_MS }),
    mirrors: mirrorUrls.map((mirrorUrl) => createSite({ ...mirror, url: mirrorUrl })),
  };
}

/** All of them or none: what can't be used is found before anything changes. */
function renewSites(sites: Sites, tls: TlsTexts): void {
  const identity = tlsIdentity(tls);
  const anyone = sites.mirrors.length === 0 ? identity : anonymousIdentity(tls.ca);
  for (const site of [sites.store, sites.hints]) site.renew(identity);
  for (const mirror of sites.mirrors) mirror.renew(anyone);
}

interface BlobAsk {
  digest: Digest;
  maxBytes: number;
  signal: AbortSignal;
  callMs: number;
}

async function blobFrom(sites: Sites, ask: BlobAsk, logger: Logger): Promise<Uint8Array | null> {
  for (const mirror of sites.mirrors) {
    const bytes = await mirrored(mirror, ask, logger);
    if (bytes !== null) return bytes;
  }
  return fetchBlob(sites.calls, '/v1', ask);
}

/** Null for whatever a mirror does wrong: the store is asked next. */
async function mirrored(mirror: Site, ask: BlobAsk, logger: Logger): Promise<Uint8Array | null> {
  const { digest } = ask;
  try {
    const bytes = await fetchBlob(mirror, mirror.url.path, ask);
    if (bytes === null || digestOf(bytes) === digest) return bytes;
    logger.warn({ event: 'mirror_wrong', mirror: mirror.url.origin, digest }, 'the bytes have another digest');
  } catch (thrown) {
    if (ask.signal.aborted) throw thrown;
    logger.warn({ event: 'mirror_failed', mirror: mirror.url.origin, digest }, messageOf(thrown));
  }
  return null;
}

async function fetchBlob(site: Site, base: string, ask: BlobAsk): Promise<Uint8Array | null> {
  const { digest, maxBytes, signal } = ask;
  const doing = `fetching blob ${digest.slice(0, 12)} from ${site.url.origin}`;
  const limitMs = ask.callMs + slowestMs(maxBytes);
  const headers = { 'accept-encoding': 'gzip' };
  const path = `${base}/blobs/sha256/${digest}`;
  const blob = { method: 'GET', path, headers, limitMs, maxBytes, doing } as const;
  const answer = await site.call(blob, signal);
  if (answer.status === 200) return answer.bytes;
  if (answer.status === 404) return null;
  throw refusalOf(answer, doing);
}

function slowestMs(bytes: number): number {
  return Math.ceil((bytes / SLOWEST_BYTES_PER_S) * 1000);
}

async function rootFrom(
  site: Site,
  version: number,
  callMs: number,
  signal: AbortSignal,
): Promise<SignedDocument | null> {
  const doing = `fetching trust root ${version} from ${site.url.origin}`;
  const ask = { method: 'GET', path: `/v1/roots/${version}`, limitMs: callMs, maxBytes: ROOT_WIRE_BYTES } as const;
  const answer = await site.call({ ...ask, doing }, signal);
  if (answer.status === 200) return readSigned(answer.bytes, doing, ROOT_WIRE_BYTES);
  if (answer.status === 404) return null;
  throw refusalOf(answer, doing);
}

async function send(site: Site, report: PointReport, callMs: number, signal: AbortSignal): Promise<void> {
  checkPointName(report.point);
  const doing = `reporting about ${report.point} to ${site.url.origin}`;
  const path = `/v1/points/${report.point}/status`;
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify(report);
  const answer = await site.call(
    { method: 'POST', path, headers, body, limitMs: callMs, maxBytes: ANSWER_BYTES, doing },
    signal,
  );
  if (answer.status !== 200 && answer.status !== 202 && answer.status !== 204) throw refusalOf(answer, doing);
}
