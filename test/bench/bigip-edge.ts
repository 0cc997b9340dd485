/**
 * A simulated BIG-IP with traffic: virtual servers in front of real servers on loopback, and the driver in this process. Ours
 * are attached as a person would attach them, after the first policy has brought the rules.
 */
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import type { SimulatedUnit } from '@edgeward/bigip-simulator';
import { type BigipPoint, createBigipPoint, createIcontrol, enforcementRules } from '@edgeward/f5-irules';
import type { CompiledPolicy } from '@edgeward/policy';
import { createLogger } from '@edgeward/runtime';
import { privateTclsh } from '../kit/real-tclsh.ts';
import type { Bench, Result } from './benchmark.ts';
import { startBox } from './bigip-box.ts';

export interface VirtualServer {
  /** Full path, in /Common. */
  bind: string;
  protocol: 'http' | 'tcp';
  /** `empty`: a rule with the same events that says nothing. */
  rules: 'ours' | 'none' | 'empty';
}

export interface BigipEdge {
  unit: SimulatedUnit;
  point: BigipPoint;
  listener(bind: string): Promise<{ host: string; port: number }>;
  close(): Promise<void>;
}

export interface BigipEdgeOptions {
  virtuals: VirtualServer[];
  /** Comes into force before anything listens. */
  policy: CompiledPolicy;
  /** Whether clients may say who they are in a PROXY line. */
  preface: boolean;
  keptRevisions?: number;
  collectAfterMs?: number;
}

const EMPTY_RULES = `ltm rule /Common/empty_l4 {
when CLIENT_ACCEPTED { }
}
ltm rule /Common/empty_l7 {
when HTTP_REQUEST { }
}
`;

export async function startBigipEdge(bench: Bench, options: BigipEdgeOptions): Promise<BigipEdge> {
  const { virtuals, policy, preface, keptRevisions, collectAfterMs } = options;
  const config = `${EMPTY_RULES}${await startPools(bench)}`;
  const { unit, access, close } = await startBox(bench, { preface, config, tclsh: await privateTclsh() });
  const logger = createLogger({ level: 'warn' });
  const point = createBigipPoint({
    ...access,
    logger,
    ...(keptRevisions !== undefined && { keptRevisions }),
    ...(collectAfterMs !== undefined && { collectAfterMs }),
  });
  bench.teardown(() => point.close());
  await point.apply(policy);
  const [url = ''] = access.urls;
  const { user, passwordFile, ca } = access;
  const admin = createIcontrol({ url, user, passwordFile, ca, logger });
  const rules = await attachable();
  for (const [index, virtual] of virtuals.entries())
    await admin.create('tm/ltm/virtual', bodyOf(virtual, index, rules));
  await admin.close();
  return {
    unit,
    point,
    listener: (bind) => unit.listener(bind),
    async close() {
      await point.close();
      await close();
    },
  };
}

/** Measures with a data plane, or says why there is none. */
export async function withTclsh(run: () => Promise<Result>): Promise<Result> {
  try {
    await privateTclsh();
  } catch (cause) {
    return { state: 'skipped', reason: cause instanceof Error ? cause.message : String(cause) };
  }
  return run();
}

type Attachable = Record<VirtualServer['rules'], { l4: string[]; l7: string[] }>;

async function attachable(): Promise<Attachable> {
  const { l4, l7 } = await enforcementRules();
  return {
    ours: { l4: [l4.fullPath], l7: [l7.fullPath] },
    empty: { l4: ['/Common/empty_l4'], l7: ['/Common/empty_l7'] },
    none: { l4: [], l7: [] },
  };
}

function bodyOf({ bind, protocol, rules }: VirtualServer, index: number, all: Attachable): Record<string, unknown> {
  const { l4, l7 } = all[rules];
  return {
    name: bind.slice('/Common/'.length),
    partition: 'Common',
    destination: `/Common/10.0.0.${index + 1}:443`,
    ipProtocol: 'tcp',
    mask: '255.255.255.255',
    pool: `/Common/pool_${protocol}`,
    profiles: ['/Common/tcp', ...(protocol === 'http' ? ['/Common/http'] : [])],
    rules: protocol === 'http' ? [...l4, ...l7] : l4,
  };
}

/** tmsh text of the pools. */
async function startPools(bench: Bench): Promise<string> {
  const http = createHttpServer((_, response) => void response.writeHead(200, { 'content-length': 3 }).end('ok\n'));
  http.keepAliveTimeout = 600_000;
  const echo = createServer((socket) => void socket.pipe(socket));
  const ports = { http: await listen(bench, http), tcp: await listen(bench, echo) };
  const pool = (name: string, port: number): string =>
    `ltm pool /Common/pool_${name} {\n    members {\n        /Common/127.0.0.1:${port} {\n            address 127.0.0.1\n        }\n    }\n}\n`;
  return Object.entries(ports)
    .map(([name, port]) => pool(name, port))
    .join('');
}

async function listen(bench: Bench, server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  bench.teardown(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
