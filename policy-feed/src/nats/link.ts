/**
 * One connection to a NATS cluster, kept for ever: dialled again with jitter whatever ended it, to the configured nodes
 * alone. A node that answers nothing, or that hears nothing from the others, is left for the next one. Nothing here says
 * what is asked over it.
 */
import { backoff, type Clock, type Logger, messageOf } from '@edgeward/runtime';
import { type ConnectionOptions, connect, type NatsConnection } from '@nats-io/transport-node';
import { authenticatorOf, type NatsCredentials } from './credentials.ts';
import { type NodeUrls, nodeUrlsOf } from './node-urls.ts';

export interface NatsLinkOptions {
  /** `tls://HOST:PORT` of each node; `nats://` for literal loopback addresses. */
  urls: readonly string[];
  credentials: NatsCredentials;
  /** PEM texts. Without `ca` the system's authorities are believed. Only with `tls://`. */
  tls?: { ca?: string; cert?: string; key?: string };
  /** Answers come to subjects below it, which nobody else may hear. */
  inboxPrefix: string;
  /** What the server's own lists show. */
  name: string;
  clock: Clock;
  logger: Logger;
  random?: () => number;
}

export interface NatsLink {
  /** For logs: `tls://nats-1:4222`. */
  readonly name: string;
  /** The connection there is, up or coming back; null before the first, and between two. */
  current(): NatsConnection | null;
  /** Waits for one that was up at least once. Rejects with why there is none. */
  ready(limitMs: number, signal: AbortSignal): Promise<NatsConnection>;
  /** Called whenever it is up, again too: something may have been missed. */
  onUp(listener: (connection: NatsConnection) => void): () => void;
  /** On to another node; not more often than every ten seconds. */
  hop(reason: string): void;
  /** How often the server refused to let this user publish to this subject. */
  refusals(subject: string): number;
  close(): Promise<void>;
}

const DIAL_MS = 5_000;
/** Two without an answer, and the node is given up: a paused one keeps its connections open. */
const PING_MS = 4_000;
const HOP_MS = 10_000;

/** Throws EDW_ERR_NATS_URL. Dials in the background. */
export function openNatsLink(options: NatsLinkOptions): NatsLink {
  const { clock, logger } = options;
  const urls = nodeUrlsOf(options.urls);
  const random = options.random ?? Math.random;
  const pauses = backoff({ baseMs: 500, maxMs: 5_000, random });
  const listeners = new Set<(connection: NatsConnection) => void>();
  const refused = new Map<string, number>();
  let connection: NatsConnection | null = null;
  let lastError: unknown = new Error('no node was reached yet');
  let closed = false;
  let hoppedAtMs = Number.NEGATIVE_INFINITY;
  let cancel: () => void = () => {};

  const up = (it: NatsConnection): void => {
    for (const listener of [...listeners]) listener(it);
  };

  async function dial(): Promise<void> {
    let dialled: NatsConnection;
    try {
      dialled = await connect(connectionOptions(options, urls, random));
    } catch (thrown) {
      lastError = thrown;
      logger.debug({ event: 'nats_unreachable', nats: urls.name }, messageOf(thrown));
      if (!closed) cancel = clock.after(pauses.nextMs(), () => void dial());
      return;
    }
    if (closed) return void (await dialled.close());
    pauses.reset();
    dialled.setServers(withLast(urls.servers, dialled.getServer()));
    connection = dialled;
    void follow(dialled);
    up(dialled);
    const ended = await dialled.closed();
    connection = null;
    if (ended !== undefined) lastError = ended;
    if (!closed) cancel = clock.after(pauses.nextMs(), () => void dial());
  }

  async function follow(of: NatsConnection): Promise<void> {
    for await (const status of of.status()) {
      if (status.type === 'reconnect') up(of);
      if (status.type === 'disconnect') logger.info({ event: 'nats_disconnected', nats: urls.name }, 'disconnected');
      if (status.type !== 'error') continue;
      lastError = status.error;
      const subject = publishRefused(status.error);
      if (subject !== null) refused.set(subject, (refused.get(subject) ?? 0) + 1);
    }
  }

  void dial();
  return {
    name: urls.name,
    current: () => connection,
    onUp(listener) {
      listeners.add(listener);
      if (connection !== null) listener(connection);
      return () => void listeners.delete(listener);
    },
    ready(limitMs, signal) {
      if (connection !== null && !connection.isClosed()) return Promise.resolve(connection);
      return new Promise((resolve, reject) => {
        const settle = (then: () => void): void => {
          listeners.delete(found);
          clearTimeout(timer);
          signal.removeEventListener('abort', onAbort);
          then();
        };
        const found = (it: NatsConnection): void => settle(() => resolve(it));
        const onAbort = (): void => settle(() => reject(signal.reason));
        // Whoever waits here keeps the process alive; the clock's timers do not.
        const timer = setTimeout(() => settle(() => reject(lastError)), limitMs);
        if (signal.aborted) return onAbort();
        signal.addEventListener('abort', onAbort, { once: true });
        listeners.add(found);
      });
    },
    hop(reason) {
      const now = clock.now();
      if (closed || connection === null || urls.servers.length < 2 || now - hoppedAtMs < HOP_MS) return;
      hoppedAtMs = now;
      logger.info({ event: 'nats_hop', nats: urls.name, reason }, 'on to another node');
      connection.reconnect().catch(() => {});
    },
    refusals: (subject) => refused.get(subject) ?? 0,
    async close() {
      closed = true;
      cancel();
      await connection?.close();
    },
  };
}

function connectionOptions(options: NatsLinkOptions, urls: NodeUrls, random: () => number): ConnectionOptions {
  return {
    servers: shuffled(urls.servers, random),
    noRandomize: true,
    // A node may be configured with anything; whoever configured this service said where it may go.
    ignoreClusterUpdates: true,
    authenticator: authenticatorOf(options.credentials),
    // Else two refusals in a row end the connection; a user that comes back is let in again.
    ignoreAuthErrorAbort: true,
    ...(urls.tls && { tls: { ...options.tls } }),
    inboxPrefix: options.inboxPrefix,
    name: options.name,
    noAsyncTraces: true,
    timeout: DIAL_MS,
    pingInterval: PING_MS,
    maxPingOut: 2,
    maxReconnectAttempts: -1,
    // Thousands lose the same node at the same instant.
    reconnectDelayHandler: () => 200 + Math.floor(random() * 2_000),
  };
}

function publishRefused(error: Error): string | null {
  const found = /^Permissions Violation for Publish to "([^"]+)"$/.exec(error.message);
  return found?.[1] ?? null;
}

/** The client forgets for ever a node that did not answer the first dial; and a hop is to lead to another node. */
function withLast(servers: readonly string[], here: string): string[] {
  return [...servers.filter((it) => it !== here), ...servers.filter((it) => it === here)];
}

function shuffled(servers: readonly string[], random: () => number): string[] {
  return servers
    .map((server) => ({ server, at: random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ server }) => server);
}
