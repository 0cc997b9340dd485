/**
 * The site of the system tests on a BIG-IP: orders is judged by requests, ledger by connections; crm workloads in prod
 * may reach both. Sources are addresses of loopback, so that the BIG-IP sees them as they are.
 */
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { type Bigip, startBigip, startUpstream, type Teardown } from '@edgeward/test/kit';
import { crm, dev, workload } from './site.ts';

/** Where both fronts stand, with what is behind them. */
export async function startBox(t: Teardown, options: { units?: 1 | 2; more?: string } = {}): Promise<Bigip> {
  const [web, echo] = [await startUpstream(t), await startEcho(t)];
  return startBigip(t, {
    ...options,
    fronts: { orders: { protocol: 'http', upstreamPort: web.port }, ledger: { protocol: 'tcp', upstreamPort: echo } },
  });
}

/** By file name. */
export function siteOf({ ports }: Bigip): Record<string, string> {
  const front = (name: string, protocol: string): string => `kind: VirtualServer
name: ${name}
labels: { app: ${name} }
point: bigip-1
bind: /Common/vs_${name}
ports: [tcp/${ports[name]}]
protocol: ${protocol}
mode: enforce
---
`;
  return {
    'crm-1.yaml': workload('crm-1', crm, 'prod'),
    'crm-2.yaml': workload('crm-2', dev, 'dev'),
    'fronts.yaml': `${front('orders', 'http')}${front('ledger', 'tcp')}`,
    'shop.yaml': `kind: Policy
name: shop
rules:
  - id: crm-orders
    from: [{ workloads: "app == 'crm' && env == 'prod'" }]
    to: "app == 'orders'"
    http: [{ methods: [GET], path: /v1/orders/* }]
  - id: crm-ledger
    from: [{ workloads: "app == 'crm' && env == 'prod'" }]
    to: "app == 'ledger'"
`,
  };
}

/** `reset`: refused before anything of HTTP was said. */
export interface BigipAnswer {
  outcome: number | 'reset';
  ref: string | null;
}

export interface Browser {
  get(path: string): Promise<BigipAnswer>;
  /** Connections that it opened so far. */
  opened(): number;
  close(): void;
}

const timeoutMs = 20_000;

/** One client that keeps its connection as long as the other side does. */
export function openBrowser(t: Teardown, port: number, from: string): Browser {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const sockets = new Set<Socket>();
  t.teardown(async () => agent.destroy());
  return {
    opened: () => sockets.size,
    close: () => agent.destroy(),
    get: (path) =>
      new Promise((resolve, reject) => {
        const options = { host: '127.0.0.1', port, path, localAddress: from, agent, timeout: timeoutMs };
        const headers = { host: 'shop.example' };
        const asked = request({ ...options, headers }, (response) => resolve(answerOf(response)));
        asked.on('socket', (socket) => sockets.add(socket));
        asked.on('timeout', () => asked.destroy(new Error(`no answer within ${timeoutMs} ms`)));
        asked.on('error', (error: NodeJS.ErrnoException) =>
          error.code === 'ECONNRESET' ? resolve({ outcome: 'reset', ref: null }) : reject(error),
        );
        asked.end();
      }),
  };
}

/** One request on a connection of its own. */
export async function ask(port: number, from: string, path = '/v1/orders/7'): Promise<BigipAnswer> {
  const closing: (() => Promise<void>)[] = [];
  const browser = openBrowser({ teardown: (run) => closing.push(run) }, port, from);
  try {
    return await browser.get(path);
  } finally {
    for (const close of closing) await close();
  }
}

async function answerOf(response: IncomingMessage): Promise<BigipAnswer> {
  let body = '';
  for await (const piece of response.setEncoding('utf8')) body += piece;
  const ref = response.headers['edgeward-ref'] ?? null;
  if (ref !== null && !body.includes(String(ref))) throw new Error(`the body does not name ${ref}: ${body}`);
  return { outcome: response.statusCode ?? 0, ref: ref === null ? null : String(ref) };
}

export interface Line {
  /** What comes back; null when the connection ended instead. */
  say(text: string): Promise<string | null>;
}

/** A connection to the ledger, open until it is reset or the test ends. */
export function openLine(t: Teardown, port: number, from: string): Line {
  const socket = connect({ host: '127.0.0.1', port, localAddress: from });
  t.teardown(async () => void socket.destroy());
  let gone = false;
  let heard = (_: string | null): void => {};
  const end = (): void => {
    gone = true;
    heard(null);
  };
  socket.on('error', end).on('end', end).on('close', end);
  socket.setEncoding('utf8').on('data', (text: string) => heard(text));
  return {
    say: (text) =>
      gone
        ? Promise.resolve(null)
        : new Promise((resolve, reject) => {
            const timer = setTimeout(() => reject(new Error('no answer')), timeoutMs);
            heard = (answer) => {
              clearTimeout(timer);
              resolve(answer);
            };
            socket.write(text);
          }),
  };
}

async function startEcho(t: Teardown): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket));
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
