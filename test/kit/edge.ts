/**
 * A real NGINX for a test or a measurement: private, on free ports of loopback, in a folder of its own, protected by the
 * snippets that users include. It is gone when the owner is torn down, also after a failure. Holds no opinion on what
 * is tested: policies come through `point()`, the driver of the product.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createNginxPoint,
  type NginxBinary,
  type NginxPoint,
  type NginxPointOptions,
  type RunningNginx,
  startNginx,
  writeSnippets,
} from '@edgeward/nginx-njs';
import { createLogger } from '@edgeward/runtime';
import { type Denial, denialsIn } from './denials.ts';
import { freePort } from './free-port.ts';
import { ensureBundle } from './module-bundle.ts';
import { configurationText, type EdgeServer } from './nginx-configuration.ts';
import { type PushAnswer, type PushCall, pushCall } from './push-call.ts';
import { privateNginx } from './real-nginx.ts';

/** What a test, or anything else that ends, gives: run when it ends. */
export interface Teardown {
  teardown(run: () => Promise<void>): unknown;
}

export interface EdgeOptions {
  /** Default: one, `order-front`, on port 443 of the policy. */
  servers?: EdgeServer[];
  /** Default `4m`. */
  zoneSize?: string;
  /** Default 2. */
  workers?: number;
  /** Name of the point. Default `edge-1`. */
  point?: string;
  /** Directives of http { }. */
  extra?: string;
}

export interface EdgePaths {
  folder: string;
  configFile: string;
  /** Folder of http.conf, protect.conf and edgeward.js. */
  snippets: string;
  tokenFile: string;
  denyLog: string;
  lastKnownFile: string;
  errorLog: string;
}

export interface Edge {
  readonly binary: NginxBinary;
  readonly pushUrl: string;
  readonly pushPort: number;
  readonly token: string;
  /** Port and address of the first server. */
  readonly port: number;
  readonly url: string;
  /** By the servers' names. */
  readonly ports: Record<string, number>;
  readonly paths: EdgePaths;
  /** A driver as the sync service opens it; closed at the teardown. */
  point(options?: Partial<NginxPointOptions>): NginxPoint;
  /** Straight to the push endpoint, with the right token unless another is given. */
  push(call: PushCall): Promise<PushAnswer>;
  denials(): Promise<Denial[]>;
  /** Writes the configuration anew; takes effect with `reload` or `restart`. */
  configure(change: Pick<EdgeOptions, 'zoneSize' | 'servers' | 'extra'>): Promise<void>;
  reload(): Promise<void>;
  /** Killed, and started again: the zone is empty. */
  restart(): Promise<void>;
  kill(): Promise<void>;
  stop(): Promise<void>;
}

export async function startEdge(t: Teardown, options: EdgeOptions = {}): Promise<Edge> {
  const [binary] = await Promise.all([privateNginx(), ensureBundle()]);
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-edge-'));
  const points: NginxPoint[] = [];
  const running: { nginx: RunningNginx | null } = { nginx: null };
  t.teardown(async () => {
    // A driver first waits for its own calls, which need the NGINX.
    await Promise.all(points.map((point) => point.close()));
    await running.nginx?.kill();
    await rm(folder, { recursive: true, force: true });
  });
  const place = await prepare(folder, options);
  const start = async (): Promise<void> => {
    const { configFile } = place.paths;
    const listener = { host: '127.0.0.1', port: place.pushPort };
    running.nginx = await startNginx({ binary, prefix: folder, configFile, listener });
  };
  await writeConfiguration(binary, place, options);
  await start();
  return edgeOf({ binary, place, options, points, running, start });
}

interface Place {
  paths: EdgePaths;
  token: string;
  pushPort: number;
  ports: Record<string, number>;
}

interface Parts {
  binary: NginxBinary;
  place: Place;
  options: EdgeOptions;
  points: NginxPoint[];
  running: { nginx: RunningNginx | null };
  start(): Promise<void>;
}

function edgeOf({ binary, place, options, points, running, start }: Parts): Edge {
  const { paths, token, ports } = place;
  const pushUrl = `http://127.0.0.1:${place.pushPort}`;
  const port = ports[serversOf(options)[0]?.name ?? ''] ?? 0;
  return {
    binary,
    pushUrl,
    pushPort: place.pushPort,
    token,
    port,
    url: `http://127.0.0.1:${port}`,
    ports,
    paths,
    point: (own = {}) => {
      const { tokenFile, lastKnownFile } = paths;
      const logger = createLogger({ level: 'silent' });
      const name = options.point ?? 'edge-1';
      const point = createNginxPoint({ name, push: pushUrl, tokenFile, lastKnownFile, logger, ...own });
      points.push(point);
      return point;
    },
    push: (call) => pushCall(pushUrl, { token, ...call }),
    denials: () => denialsIn(paths.denyLog),
    configure: (change) => writeConfiguration(binary, place, { ...options, ...change }),
    reload: async () => running.nginx?.reload(),
    restart: async () => {
      await running.nginx?.kill();
      await start();
    },
    kill: async () => running.nginx?.kill(),
    stop: async () => running.nginx?.stop(),
  };
}

function serversOf(options: EdgeOptions): EdgeServer[] {
  return options.servers ?? [{ name: 'order-front' }];
}

async function prepare(folder: string, options: EdgeOptions): Promise<Place> {
  const ports: Record<string, number> = {};
  for (const { name } of serversOf(options)) ports[name] = await freePort();
  const paths = {
    folder,
    configFile: join(folder, 'nginx.conf'),
    snippets: join(folder, 'snippets'),
    tokenFile: join(folder, 'push-token'),
    denyLog: join(folder, 'log/deny.log'),
    lastKnownFile: join(folder, 'state/last-known'),
    errorLog: join(folder, 'error.log'),
  };
  const token = randomBytes(24).toString('hex');
  await mkdir(join(folder, 'state'));
  await writeFile(paths.tokenFile, `${token}\n`, { mode: 0o600 });
  return { paths, token, pushPort: await freePort(), ports };
}

async function writeConfiguration(binary: NginxBinary, place: Place, options: EdgeOptions): Promise<void> {
  const { paths, ports, pushPort } = place;
  await writeSnippets({
    out: paths.snippets,
    listen: `127.0.0.1:${pushPort}`,
    tokenFile: paths.tokenFile,
    denyLog: paths.denyLog,
    lastKnownFile: paths.lastKnownFile,
    zoneSize: options.zoneSize ?? '4m',
  });
  const text = configurationText({
    modulesDir: binary.modulesDir,
    workers: options.workers ?? 2,
    snippets: paths.snippets,
    errorLog: paths.errorLog,
    servers: serversOf(options).map((server) => ({ server, listen: ports[server.name] ?? 0 })),
    extra: options.extra ?? '',
  });
  await writeFile(paths.configFile, text);
}
