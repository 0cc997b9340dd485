/**
 * A real NATS cluster with JetStream on loopback, for tests that kill, pause and cut off its nodes. Knows nothing of
 * Edgeward: accounts and users come in as configuration text.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findNatsServer, type NatsServerCommand } from '@edgeward/debian-packages';
import { freePort } from './free-port.ts';
import { type LoopbackServer, startLoopbackServer } from './loopback-server.ts';
import { type Links, openLinks } from './nats-links.ts';

export interface NatsCluster {
  /** As the server names itself. */
  readonly version: string;
  /** One address per node: `nats://127.0.0.1:…`. With TLS the name is `localhost`, and the scheme `tls`. */
  readonly servers: readonly string[];
  /** SIGKILL; `restart` starts it again on the same folder and ports. */
  kill(node: number): Promise<void>;
  restart(node: number): Promise<void>;
  /** Takes away what a killed node kept. */
  wipe(node: number): Promise<void>;
  /** SIGSTOP: it keeps its connections and answers nothing. */
  pause(node: number): void;
  resume(node: number): void;
  /** Cut off from the other nodes, not from its clients. */
  cut(node: number): void;
  mend(node: number): void;
  /** Of the nodes that run. */
  pids(): number[];
  /** What the node logged. */
  logFile(node: number): string;
  close(): Promise<void>;
}

export interface NatsClusterOptions {
  nodes: 1 | 3;
  /** Blocks `accounts { … }` or `authorization { … }`; without them everyone may do everything. */
  configuration?: string;
  tls?: { certFile: string; keyFile: string; caFile: string };
  server?: NatsServerCommand;
}

let found: Promise<NatsServerCommand> | null = null;

/** EDGEWARD_NATS_SERVER names another one than the first that is found. */
export function privateNatsServer(): Promise<NatsServerCommand> {
  const named = process.env.EDGEWARD_NATS_SERVER;
  found ??= findNatsServer(named === undefined ? {} : { searchPath: named });
  return found;
}

/** Where none can be had the whole test file is skipped with the reason, but never in CI. */
export async function requireNatsServer(t: {
  plan(count: number, reason: string): unknown;
}): Promise<NatsServerCommand> {
  try {
    return await privateNatsServer();
  } catch (error) {
    if (process.env.CI !== undefined) throw error;
    t.plan(0, error instanceof Error ? error.message : String(error));
    process.exit(0);
  }
}

export async function startNatsCluster(options: NatsClusterOptions): Promise<NatsCluster> {
  const server = options.server ?? (await privateNatsServer());
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-nats-'));
  const ports = await Promise.all(Array.from({ length: options.nodes }, () => freePort()));
  const routes = await Promise.all(ports.map(() => freePort()));
  const links = options.nodes === 1 ? null : await openLinks(routes);
  const nodes: (LoopbackServer | null)[] = ports.map(() => null);
  const logFile = (node: number): string => join(folder, `node-${node}.log`);

  const start = async (node: number): Promise<void> => {
    if (nodes[node] !== null) return;
    const port = ports[node] ?? 0;
    const configFile = join(folder, `node-${node}.conf`);
    const command = [...server.command, '-c', configFile, '-l', logFile(node)];
    nodes[node] = await startLoopbackServer({ name: 'nats-server', command, logFile: logFile(node), port });
  };
  const kill = async (node: number): Promise<void> => {
    const running = nodes[node];
    nodes[node] = null;
    await running?.kill();
  };
  const close = async (): Promise<void> => {
    await Promise.all(ports.map((_, node) => kill(node)));
    await links?.close();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };

  try {
    for (const node of ports.keys()) {
      await mkdir(join(folder, `store-${node}`));
      const text = nodeConfiguration({ node, folder, port: ports[node] ?? 0, routes, links, options });
      await writeFile(join(folder, `node-${node}.conf`), text, { mode: 0o600 });
    }
    await Promise.all(ports.map((_, node) => start(node)));
  } catch (error) {
    await close();
    throw error;
  }
  const [scheme, host] = options.tls === undefined ? ['nats', '127.0.0.1'] : ['tls', 'localhost'];
  return {
    version: server.version,
    servers: ports.map((port) => `${scheme}://${host}:${port}`),
    kill,
    restart: start,
    wipe: (node) => rm(join(folder, `store-${node}`), { recursive: true, force: true, maxRetries: 5 }),
    pause: (node) => nodes[node]?.signal('SIGSTOP'),
    resume: (node) => nodes[node]?.signal('SIGCONT'),
    cut: (node) => links?.cut(node),
    mend: (node) => links?.mend(node),
    pids: () => nodes.flatMap((node) => (node === null ? [] : [node.pid])),
    logFile,
    close,
  };
}

function nodeConfiguration(of: {
  node: number;
  folder: string;
  port: number;
  routes: readonly number[];
  links: Links | null;
  options: NatsClusterOptions;
}): string {
  const { node, links, options } = of;
  const lines = [
    `server_name: node-${node}`,
    `listen: "127.0.0.1:${of.port}"`,
    `jetstream { store_dir: ${JSON.stringify(join(of.folder, `store-${node}`))}, max_mem: 64MB, max_file: 8GB }`,
    options.configuration ?? '',
  ];
  if (links !== null) {
    const peers = of.routes.map((_, to) => `"nats-route://${links.address(node, to)}"`);
    // What is advertised leads nowhere: a node that learned a peer's own address would go past the wire.
    const listen = `listen: "127.0.0.1:${of.routes[node]}", advertise: "127.0.0.1:9", no_advertise: true`;
    lines.push(`cluster { name: edgeward-test, ${listen}, routes: [${peers.join(', ')}] }`);
  }
  if (options.tls !== undefined) {
    const { certFile, keyFile, caFile } = options.tls;
    lines.push(
      `tls { cert_file: ${JSON.stringify(certFile)}, key_file: ${JSON.stringify(keyFile)}, ca_file: ${JSON.stringify(caFile)} }`,
    );
  }
  return `${lines.join('\n')}\n`;
}
