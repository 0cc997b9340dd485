/**
 * Clients that ask all the time, over connections of every kind, while policies and snapshots change, and what each answer
 * may be: that of any revision between the one acknowledged when the request was sent and the one begun when its answer
 * came. Over HTTP/1.1 with and without keep-alive, over HTTP/2, and over connections that are held open before a reload and
 * used after it.
 */
import { Agent, request } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** What was asked for and what came into force, as the side that pushes knows it. */
export interface Truth {
  acknowledged: number;
  begun: number;
  isAllowed(revision: number, source: string): boolean;
}

export interface Load {
  /** Opens a connection from each of these, on which nothing is sent yet. */
  hold(sources: readonly string[]): Promise<void>;
  /** Asks over every one that is held, and waits for the answers. */
  useHeld(): Promise<void>;
  stop(): Promise<LoadResult>;
}

export interface LoadResult {
  answered: number;
  /** By the kind of connection. */
  by: Record<string, number>;
  wrong: string[];
  /** A connection that NGINX closed before it answered. */
  unanswered: number;
}

export interface LoadOptions {
  port: number;
  http2Port: number;
  sources: readonly string[];
  truth: Truth;
}

export function startLoad({ port, http2Port, sources, truth }: LoadOptions): Load {
  const result: LoadResult = { answered: 0, by: {}, wrong: [], unanswered: 0 };
  let running = true;
  const held: { source: string; socket: Socket }[] = [];

  async function ask(kind: string, source: string, send: () => Promise<number>): Promise<void> {
    const from = truth.acknowledged;
    const status = await send();
    if (status === 0) {
      result.unanswered += 1;
      return;
    }
    result.answered += 1;
    result.by[kind] = (result.by[kind] ?? 0) + 1;
    for (let revision = from; revision <= truth.begun; revision += 1)
      if (truth.isAllowed(revision, source) === (status === 200)) return;
    result.wrong.push(`${kind} from ${source}: ${status}, acknowledged ${from}, begun ${truth.begun}`);
  }

  const loops = sources.flatMap((source, i) => [
    loop(
      () => running,
      keptAlive(port, source),
      (send) => ask('kept alive', source, send),
    ),
    ...(i % 4 === 0
      ? [
          loop(
            () => running,
            once(port, source),
            (send) => ask('once', source, send),
          ),
        ]
      : []),
    ...(i % 4 === 1
      ? [
          loop(
            () => running,
            multiplexed(http2Port, source),
            (send) => ask('HTTP/2', source, send),
          ),
        ]
      : []),
  ]);
  return {
    hold: async (from) => {
      held.push(...(await Promise.all(from.map(async (source) => ({ source, socket: await opened(port, source) })))));
    },
    useHeld: async () => {
      const now = held.splice(0);
      await Promise.all(now.map(({ source, socket }) => ask('held', source, () => askOver(socket))));
    },
    stop: async () => {
      running = false;
      await Promise.all(loops);
      for (const { socket } of held.splice(0)) socket.destroy();
      return result;
    },
  };
}

interface Client {
  send(): Promise<number>;
  close(): void;
}

async function loop(
  isRunning: () => boolean,
  client: Client,
  ask: (send: () => Promise<number>) => Promise<void>,
): Promise<void> {
  while (isRunning()) {
    await ask(client.send);
    // A request a few milliseconds is enough to be wrong in, and leaves NGINX room to reload.
    await sleep(PAUSE_MS);
  }
  client.close();
}

const TIMEOUT_MS = 20_000;
const PAUSE_MS = 3;

function keptAlive(port: number, source: string): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, localAddress: source });
  return { send: () => statusOf(port, { agent }), close: () => agent.destroy() };
}

function once(port: number, source: string): Client {
  return { send: () => statusOf(port, { agent: false, localAddress: source }), close: () => {} };
}

/** 0 where there was no answer. */
function statusOf(port: number, own: { agent: Agent | false; localAddress?: string }): Promise<number> {
  return new Promise((resolve) => {
    const headers = { host: 'shop.example' };
    const outgoing = request({ host: '127.0.0.1', port, headers, timeout: TIMEOUT_MS, ...own }, (response) => {
      response.on('end', () => resolve(response.statusCode ?? 0)).resume();
      response.on('error', () => resolve(0));
    });
    outgoing.on('timeout', () => outgoing.destroy());
    outgoing.on('error', () => resolve(0)).end();
  });
}

/** One session as long as it lives: NGINX sends a session of an old worker away when a stream of it has ended. */
function multiplexed(port: number, source: string): Client {
  const open = (): ReturnType<typeof connectHttp2> => {
    const session = connectHttp2('http://127.0.0.1', {
      createConnection: () => connect({ host: '127.0.0.1', port, localAddress: source }),
    });
    session.on('error', () => {});
    return session;
  };
  let session = open();
  return {
    send: () =>
      new Promise((resolve) => {
        if (session.closed || session.destroyed) session = open();
        const stream = session.request({ ':path': '/', ':authority': 'shop.example' });
        stream.setTimeout(TIMEOUT_MS, () => stream.destroy());
        let status = 0;
        stream.on('response', (headers) => {
          status = headers[':status'] ?? 0;
        });
        stream.on('error', () => {});
        stream.on('close', () => resolve(status)).resume();
        stream.end();
      }),
    close: () => session.destroy(),
  };
}

function opened(port: number, source: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, localAddress: source });
    socket.on('error', reject);
    socket.on('connect', () => resolve(socket));
  });
}

function askOver(socket: Socket): Promise<number> {
  return new Promise((resolve) => {
    let text = '';
    socket.removeAllListeners('error');
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy());
    socket.on('error', () => {});
    socket.on('data', (piece) => {
      text += piece;
    });
    socket.on('close', () => resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0)));
    socket.write('GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n');
  });
}
