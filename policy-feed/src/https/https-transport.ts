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
import { type Resolver, systemResolver } from './pinned-lookup.ts';
import { createPointNews, type PointNews } from './point-news.ts';
import { type AskQuestion, createPointQuestions } from './point-questions.ts';
import { refusalOf } from './refusals.ts';
import { storeUrlOf } from './store-url.ts';
import { anonymousIdentity, type TlsTexts, tlsIdentity } from './tls-identity.ts';
import { createTurns, type Turns } from './turns.ts';

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
/** Blobs of one service at a time: a hundred of them do not stand before a head. */
const BLOBS_AT_ONCE = 4;
/** A blob may take longer the larger it may be: at no less than this many bytes a second. */
const SLOWEST_BYTES_PER_S = 256 * 1024;

/** Throws EDW_ERR_STORE_URL, EDW_ERR_STORE_CERTIFICATE. */
export function createHttpsTransport(options: HttpsTransportOptions): Transport {
  const { logger, clock = systemClock, random = Math.random } = options;
  const sites = openSites(options);
  const callMs = options.callMs ?? 10_000;
  const seen = createSeenHeads();
  const news = createPointNews(sites.store, callMs, seen);
  const talks = new Map<string, Talk>();

  function talkOf(point: string): Talk {
    checkPointName(point);
    const known = talks.get(point);
    if (known !== undefined) return known;
    const site = sites.open(1);
    const own = createPointNews(site, callMs, seen);
    const report = (told: PointReport, signal: AbortSignal): Promise<void> => send(site, told, callMs, signal);
    const talk = { site, news: own, report, ask: createPointQuestions({ site, news: own, report, clock, callMs }) };
    talks.set(point, talk);
    return talk;
  }

  return {
    name: sites.store.url.origin,
    waits: true,
    async next(point, known, asked) {
      const { news: own } = talkOf(point);
      // Polls go beside whoever waits.
      return (asked.waitMs > 0 ? news : own).next(point, known, asked);
    },
    question: async (point, asked, signal) => talkOf(point).ask(point, asked, signal),
    blob: async (digest, maxBytes, signal, point) => {
      const store = point === undefined ? sites.store : talkOf(point).site;
      return blobFrom({ ...sites, store }, { digest, maxBytes, signal, callMs }, logger);
    },
    root: async (version, signal, point) =>
      rootFrom(point === undefined ? sites.store : talkOf(point).site, version, callMs, signal),
    hints: shareHints((onHint) => followHints({ site: sites.hints, onHint, clock, logger, random })),
    report: async (report, signal) => talkOf(report.point).report(report, signal),
    inventory: (known, signal) =>
      inventoryFrom(sites.store, { known, signal, limitMs: callMs + slowestMs(INVENTORY_BYTES) }),
    close: async () => {
      const own = [...talks.values()].map(({ site }) => site);
      await Promise.all([sites.store, sites.hints, ...sites.mirrors, ...own].map((site) => site.close()));
    },
  };
}

/**
 * All of one point, one call after another, on one connection that stays: its question, and whatever the answer leads to. A
 * thousand points that opened one more to fetch a new version would do so at the moment when there is most to do.
 */
interface Talk {
  site: Site;
  news: PointNews;
  report: (report: PointReport, signal: AbortSignal) => Promise<void>;
  ask: AskQuestion;
}

interface Sites {
  /** For what is no point's own, and for waits beside polls. */
  store: Site;
  /** To the store as well. */
  open(connections: number): Site;
  hints: Site;
  mirrors: Site[];
  blobTurns: Turns;
}

function openSites(options: HttpsTransportOptions): Sites {
  const url = storeUrlOf(options.url, 'store');
  const mirrorUrls = (options.mirrors ?? []).map((mirror) => storeUrlOf(mirror, 'mirror'));
  const resolver = options.resolver ?? systemResolver;
  const identity = options.tls === null ? anonymousIdentity(null) : tlsIdentity(options.tls);
  const common = { resolver, connectTimeoutMs: CONNECT_MS, silenceMs: SILENCE_MS };
  const anyone = mirrorUrls.length === 0 ? identity : anonymousIdentity(options.tls?.ca ?? null);
  const mirror = { ...common, identity: anyone, connections: BLOBS_AT_ONCE, idleMs: IDLE_MS };
  const open = (connections: number | null): Site =>
    createSite({ ...common, url, identity, connections, idleMs: IDLE_MS });
  return {
    // A long poll is as silent as it is long; its own deadline bounds it.
    store: open(null),
    open,
    hints: createSite({ ...common, url, identity, connections: 1, silenceMs: STREAM_SILENCE_MS, idleMs: IDLE_MS }),
    mirrors: mirrorUrls.map((mirrorUrl) => createSite({ ...mirror, url: mirrorUrl })),
    blobTurns: createTurns(BLOBS_AT_ONCE),
  };
}

interface BlobAsk {
  digest: Digest;
  maxBytes: number;
  signal: AbortSignal;
  callMs: number;
  turns?: Turns;
}

async function blobFrom(sites: Sites, ask: BlobAsk, logger: Logger): Promise<Uint8Array | null> {
  for (const mirror of sites.mirrors) {
    const bytes = await mirrored(mirror, ask, logger);
    if (bytes !== null) return bytes;
  }
  return fetchBlob(sites.store, '/v1', { ...ask, turns: sites.blobTurns });
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
  const { digest, maxBytes, signal, turns } = ask;
  const doing = `fetching blob ${digest.slice(0, 12)} from ${site.url.origin}`;
  const limitMs = ask.callMs + slowestMs(maxBytes);
  const headers = { 'accept-encoding': 'gzip' };
  const path = `${base}/blobs/sha256/${digest}`;
  const blob = { method: 'GET', path, headers, limitMs, maxBytes, doing, ...(turns && { turns }) } as const;
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
