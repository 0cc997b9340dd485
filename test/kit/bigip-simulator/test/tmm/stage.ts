/** A data plane for one test, over a real configuration and the real front end, with servers behind it. Gone after it. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { createLogger } from '@edgeward/runtime';
import { type BoxConfig, BoxError, type Kind } from '../../src/config/box-config.ts';
import { createBoxConfig } from '../../src/config/create-box-config.ts';
import { loadRule } from '../../src/irule/load-rule.ts';
import { type DataPlane, type DataPlaneOptions, startDataPlane } from '../../src/tmm/data-plane.ts';
import { tclsh } from '../tclsh.ts';

export { skip } from '../tclsh.ts';
export { until } from '../until.ts';

export interface Test {
  teardown(run: () => Promise<void> | void): void;
}

export interface Stage {
  config: BoxConfig;
  plane: DataPlane;
  /** Creates or replaces; settles when it is in force. */
  put(kind: Kind, fullPath: string, body: Record<string, unknown>): Promise<void>;
  remove(kind: Kind, fullPath: string): Promise<void>;
  rule(fullPath: string, text: string): Promise<void>;
  group(fullPath: string, type: 'ip' | 'string' | 'integer', records: Record<string, string>): Promise<void>;
  pool(fullPath: string, ...ports: number[]): Promise<void>;
  /** An HTTP virtual server at 10.0.0.1:80 unless `body` says otherwise. */
  virtual(fullPath: string, body: Record<string, unknown>): Promise<void>;
  /** Sends to a virtual server and hears it out. */
  ask(virtual: string, text: string | Buffer): Promise<Heard>;
  at(virtual: string): { host: string; port: number };
}

export interface Heard {
  text: string;
  end: 'closed' | 'reset';
}

export async function setStage(t: Test, options: Partial<DataPlaneOptions> = {}): Promise<Stage> {
  const config = createBoxConfig({ version: '17.1.2', loadRule, hostname: 'bigip.example' });
  const logger = createLogger({ level: 'silent' });
  const shared = { config, loadRule, tclsh, tmms: 2, preface: false, hostname: 'bigip.example', logger };
  const plane = await startDataPlane({ ...shared, ...options });
  t.teardown(() => plane.close());
  const put = async (kind: Kind, fullPath: string, body: Record<string, unknown>): Promise<void> => {
    const [, partition = '', name = ''] = fullPath.split('/');
    if (config.get('auth partition', partition) === null && config.get('auth partition', `/${partition}`) === null)
      tolerate(() => config.apply([{ do: 'create', kind: 'auth partition', body: { name: partition } }]));
    const exists = config.get(kind, fullPath) !== null;
    config.apply([
      exists ? { do: 'modify', kind, fullPath, body } : { do: 'create', kind, body: { name, partition, ...body } },
    ]);
    await plane.settled();
  };
  const at = (virtual: string): { host: string; port: number } => {
    const place = plane.listener(virtual);
    if (place === null) throw new Error(`${virtual} does not listen`);
    return place;
  };
  return {
    config,
    plane,
    put,
    at,
    async remove(kind, fullPath) {
      config.apply([{ do: 'remove', kind, fullPath }]);
      await plane.settled();
    },
    rule: (fullPath, text) => put('ltm rule', fullPath, { apiAnonymous: text }),
    group: (fullPath, type, records) =>
      put('ltm data-group internal', fullPath, {
        type,
        records: Object.entries(records).map(([name, data]) => ({ name, data })),
      }),
    pool: (fullPath, ...ports) =>
      put('ltm pool', fullPath, { members: ports.map((port) => ({ name: `127.0.0.1:${port}` })) }),
    virtual: (fullPath, body) =>
      put('ltm virtual', fullPath, {
        destination: '/Common/10.0.0.1:80',
        ipProtocol: 'tcp',
        profiles: [{ name: '/Common/http' }, { name: '/Common/tcp' }],
        ...body,
      }),
    ask: (virtual, text) => ask(at(virtual), text),
  };
}

function tolerate(write: () => void): void {
  try {
    write();
  } catch (error) {
    if (!(error instanceof BoxError)) throw error;
  }
}

export function ask(place: { host: string; port: number }, text: string | Buffer): Promise<Heard> {
  return new Promise((resolve) => {
    const socket = connect(place.port, place.host);
    let heard = '';
    let end: Heard['end'] = 'closed';
    socket.setEncoding('latin1');
    socket.on('connect', () => socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text));
    socket.on('data', (data: string) => {
      heard += data;
    });
    socket.on('error', () => {
      end = 'reset';
    });
    socket.on('close', () => resolve({ text: heard, end }));
  });
}

/** What HTTP answers look like here: one request, and the connection ends. */
export function request(path: string, ...headers: string[]): string {
  return `GET ${path} HTTP/1.1\r\nHost: shop.example\r\n${headers.map((line) => `${line}\r\n`).join('')}Connection: close\r\n\r\n`;
}

export function contentOf(text: string): string {
  return text.slice(text.indexOf('\r\n\r\n') + 4);
}

export function statusOf(text: string): number {
  return Number(/^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1] ?? 0);
}

/** An HTTP server that tells what it was asked. */
export async function webServer(
  t: Test,
  answer: (request: IncomingMessage, response: ServerResponse, body: string) => void = (_request, response, body) => {
    response.end(body === '' ? `${_request.method} ${_request.url}` : body);
  },
): Promise<number> {
  const server = createServer({ requireHostHeader: false }, (request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => answer(request, response, Buffer.concat(pieces).toString('latin1')));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  return (server.address() as AddressInfo).port;
}

export interface StreamServer {
  port: number;
  connections: Socket[];
  received(): string;
}

/** A TCP server that keeps what it receives; `onData` may answer. */
export async function streamServer(
  t: Test,
  onData?: (socket: Socket, data: Buffer) => void,
  { allowHalfOpen = false }: { allowHalfOpen?: boolean } = {},
): Promise<StreamServer> {
  const connections: Socket[] = [];
  let received = '';
  const server = createTcpServer({ allowHalfOpen }, (socket) => {
    connections.push(socket);
    socket.on('error', () => {});
    socket.on('data', (data: Buffer) => {
      received += data.toString('latin1');
      onData?.(socket, data);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of connections) socket.destroy();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  return { port: (server.address() as AddressInfo).port, connections, received: () => received };
}
