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
  createHybridPoint,
  createNginxPoint,
  type HybridPoint,
  type HybridPointOptions,
  type NginxBinary,
  type NginxPoint,
  type NginxPointOptions,
  type RunningNginx,
  startNginx,
  writeSnippets,
} from '@edgeward/nginx-njs';
import { createLogger } from '@edgeward/runtime';
import { type Denial, denialsIn } from './denials.ts';
import type { FakeClock } from './fake-clock.ts';
import { freePort } from './free-port.ts';
import { ensureBundle } from './module-bundle.ts';
import { configurationText, type EdgeServer } from './nginx-configuration.ts';
import type { NginxEditionName } from './nginx-edition-names.ts';
import type { NginxEdition } from './nginx-editions.ts';
import { type PushAnswer, type PushCall, pushCall } from './push-call.ts';
import { testNginx } from './real-nginx.ts';
import { type StreamServer, streamModules, streamText } from './stream-configuration.ts';

/** What a test, or anything else that ends, gives: run when it ends. */
export interface Teardown {
  teardown(run: () => Promise<void>): unknown;
}

export interface EdgeOptions {
  /** Default: one, `order-front`, on port 443 of the policy. */
  servers?: EdgeServer[];
  /** Servers of the stream module; with them the point pushes there too. */
  stream?: StreamServer[];
  /** Default `4m`. */
  zoneSize?: string;
  /** Default 2. */
  workers?: number;
  /** Name of the point. Default `edge-1`. */
  point?: string;
  /** Mode hybrid: the snippets of it, and `hybrid()` for the point. */
  hybrid?: { cachedCheck: boolean };
  /** Which NGINX. Default: see `testNginx`. */
  edition?: NginxEditionName;
  /** Directives of http { }. */
  extra?: string;
  /** The push token; default: made at random. */
  token?: string;
  /** That it goes by; default: the machine's. */
  clock?: Pick<FakeClock, 'over' | 'directives'>;
  /** How long NGINX may take to start: 15 s. Large lists take longer. */
  startTimeoutMs?: number;
  /** Further modules of this edition, in the order of loading: `ndk_http_module.so`. */
  modules?: readonly string[];
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
  /** In mode hybrid. */
  snapshots: string;
  flags: string;
}

export interface Edge {
  readonly binary: NginxBinary;
  readonly pushUrl: string;
  readonly pushPort: number;
  /** null without stream servers. */
  readonly streamPushUrl: string | null;
  readonly token: string;
  /** Port and address of the first server. */
  readonly port: number;
  readonly url: string;
  /** By the servers' names. */
  readonly ports: Record<string, number>;
  readonly paths: EdgePaths;
  /** A driver as the sync service opens it; closed at the teardown. */
  point(options?: Partial<NginxPointOptions>): NginxPoint;
  /** The same in mode hybrid; it takes no snapshot by itself within a test, unless told by `snapshot`. */
  hybrid(options?: HybridOverrides): HybridPoint;
  /** Straight to the push endpoint, with the right token unless another is given. */
  push(call: PushCall): Promise<PushAnswer>;
  denials(): Promise<Denial[]>;
  /** Writes the configuration anew; takes effect with `reload` or `restart`. */
  configure(change: Pick<EdgeOptions, 'zoneSize' | 'servers' | 'stream' | 'extra'>): Promise<void>;
  reload(): Promise<void>;
  /** Killed, and started again: the zone is empty. */
  restart(): Promise<void>;
  kill(): Promise<void>;
  stop(): Promise<void>;
}

export async function startEdge(t: Teardown, options: EdgeOptions = {}): Promise<Edge> {
  const [found] = await Promise.all([testNginx(options.edition), ensureBundle()]);
  const nginx = underClock(found, options);
  const { binary } = nginx;
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-edge-'));
  const points: Pick<NginxPoint, 'close'>[] = [];
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
    const timeoutMs = options.startTimeoutMs ?? 60_000;
    running.nginx = await startNginx({ binary, prefix: folder, configFile, listener, timeoutMs });
  };
  if (options.hybrid !== undefined) await prepareSnapshots(place, options);
  await writeConfiguration(nginx, place, options);
  await start();
  return edgeOf({ nginx, place, options, points, running, start });
}

function underClock(nginx: Nginx, { clock }: EdgeOptions): Nginx {
  if (clock === undefined) return nginx;
  return { ...nginx, binary: { ...nginx.binary, command: clock.over(nginx.binary.command) } };
}

interface Place {
  paths: EdgePaths;
  token: string;
  pushPort: number;
  streamPushPort: number | null;
  ports: Record<string, number>;
}

type Nginx = Pick<NginxEdition, 'binary' | 'engine'>;

interface Parts {
  nginx: Nginx;
  place: Place;
  options: EdgeOptions;
  points: Pick<NginxPoint, 'close'>[];
  running: { nginx: RunningNginx | null };
  start(): Promise<void>;
}

function edgeOf({ nginx, place, options, points, running, start }: Parts): Edge {
  const { paths, token, ports } = place;
  const pushUrl = `http://127.0.0.1:${place.pushPort}`;
  const streamPushUrl = place.streamPushPort === null ? null : `tcp://127.0.0.1:${place.streamPushPort}`;
  const port = ports[serversOf(options)[0]?.name ?? ''] ?? 0;
  return {
    binary: nginx.binary,
    pushUrl,
    pushPort: place.pushPort,
    streamPushUrl,
    token,
    port,
    url: `http://127.0.0.1:${port}`,
    ports,
    paths,
    point: (own = {}) => {
      const point = createNginxPoint({ ...pointOptions(place, options), ...own });
      points.push(point);
      return point;
    },
    hybrid: ({ snapshot, ...own } = {}) => {
      const point = createHybridPoint({
        ...pointOptions(place, options),
        ...own,
        process: processOf(nginx, place),
        snapshot: { ...quietSnapshots(place, options), ...snapshot },
      });
      points.push(point);
      return point;
    },
    push: (call) => pushCall(pushUrl, { token, ...call }),
    denials: () => denialsIn(paths.denyLog),
    configure: (change) => writeConfiguration(nginx, place, { ...options, ...change }),
    reload: async () => running.nginx?.reload(),
    restart: async () => {
      await running.nginx?.kill();
      await start();
    },
    kill: async () => running.nginx?.kill(),
    stop: async () => running.nginx?.stop(),
  };
}

/** Of `hybrid()`; what is not given is the kit's. */
export type HybridOverrides = Partial<NginxPointOptions> & { snapshot?: Partial<HybridPointOptions['snapshot']> };

function pointOptions({ paths, pushPort, streamPushPort }: Place, options: EdgeOptions): NginxPointOptions {
  const { tokenFile, lastKnownFile } = paths;
  const logger = createLogger({ level: 'silent' });
  const streamPush = streamPushPort === null ? null : `tcp://127.0.0.1:${streamPushPort}`;
  const pushes = { push: `http://127.0.0.1:${pushPort}`, streamPush };
  return { name: options.point ?? 'edge-1', ...pushes, tokenFile, lastKnownFile, logger };
}

function processOf({ binary }: Nginx, { paths }: Place): HybridPointOptions['process'] {
  const test = [...binary.command, '-t', '-q', '-e', 'stderr', '-p', paths.folder, '-c', paths.configFile];
  return { test, reload: null, pidFile: join(paths.folder, 'nginx.pid') };
}

function quietSnapshots({ paths }: Place, options: EdgeOptions): HybridPointOptions['snapshot'] {
  return {
    folder: paths.snapshots,
    flags: paths.flags,
    cachedCheck: options.hybrid?.cachedCheck ?? false,
    keep: 2,
    quietSeconds: 3600,
    maxSlowSeconds: 3600,
    reloadsPerHour: 3600,
    minSecondsBetween: 0,
  };
}

function serversOf(options: EdgeOptions): EdgeServer[] {
  return options.servers ?? [{ name: 'order-front' }];
}

async function prepare(folder: string, options: EdgeOptions): Promise<Place> {
  const ports: Record<string, number> = {};
  for (const { name } of [...serversOf(options), ...(options.stream ?? [])]) ports[name] = await freePort();
  const paths = {
    folder,
    configFile: join(folder, 'nginx.conf'),
    snippets: join(folder, 'snippets'),
    tokenFile: join(folder, 'push-token'),
    denyLog: join(folder, 'log/deny.log'),
    lastKnownFile: join(folder, 'state/last-known'),
    errorLog: join(folder, 'error.log'),
    snapshots: join(folder, 'snapshots'),
    flags: join(folder, 'flags'),
  };
  const token = options.token ?? randomBytes(24).toString('hex');
  await mkdir(join(folder, 'state'));
  await writeFile(paths.tokenFile, `${token}\n`, { mode: 0o600 });
  const streamPushPort = options.stream === undefined ? null : await freePort();
  return { paths, token, pushPort: await freePort(), streamPushPort, ports };
}

/** NGINX does not start without what it includes, which the service lays there. */
async function prepareSnapshots(place: Place, options: EdgeOptions): Promise<void> {
  const process = { test: [], reload: null, pidFile: '' };
  const snapshot = quietSnapshots(place, options);
  const point = createHybridPoint({ ...pointOptions(place, options), process, snapshot });
  await point.prepare();
  await point.close();
}

async function writeConfiguration(nginx: Nginx, place: Place, options: EdgeOptions): Promise<void> {
  const { paths, ports, pushPort, streamPushPort } = place;
  await writeSnippets({
    out: paths.snippets,
    listen: `127.0.0.1:${pushPort}`,
    streamListen: streamPushPort === null ? null : `127.0.0.1:${streamPushPort}`,
    tokenFile: paths.tokenFile,
    denyLog: paths.denyLog,
    lastKnownFile: paths.lastKnownFile,
    zoneSize: options.zoneSize ?? '4m',
    hybrid: options.hybrid === undefined ? null : quietSnapshots(place, options).folder,
  });
  const text = configurationText({
    modulesDir: nginx.binary.modulesDir,
    engine: nginx.engine,
    modules: [...(streamPushPort === null ? [] : streamModules), ...(options.modules ?? [])],
    workers: options.workers ?? 2,
    snippets: paths.snippets,
    errorLog: paths.errorLog,
    servers: serversOf(options).map((server) => ({ server, listen: ports[server.name] ?? 0 })),
    main: options.clock?.directives ?? '',
    extra: options.extra ?? '',
  });
  await writeFile(paths.configFile, streamPushPort === null ? text : text + streamPart(nginx, place, options));
}

function streamPart({ engine }: Nginx, { paths, ports }: Place, { stream = [] }: EdgeOptions): string {
  const servers = stream.map((server) => ({ server, listen: ports[server.name] ?? 0 }));
  return streamText({ engine, snippets: paths.snippets, servers });
}
