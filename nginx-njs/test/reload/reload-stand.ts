/**
 * A real NGINX in reload mode, without njs: the snippets as users include them, servers on loopback, and a driver as the
 * service opens it. Where a source is to be tried, it is believed from X-Test-Source, or from the PROXY protocol.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from '@edgeward/debian-packages';
import { createLogger } from '@edgeward/runtime';
import {
  type Denial,
  denialsIn,
  freePort,
  type NginxEditionName,
  nginxEdition,
  type Teardown,
} from '@edgeward/test/kit';
import { createNginxProcess, type NginxProcess } from '../../driver/process/index.ts';
import {
  createReloadPace,
  createReloadPoint,
  type ReloadPoint,
  type ReloadPointOptions,
  writeReloadSnippets,
} from '../../driver/reload/index.ts';
import { type RunningNginx, startNginx } from '../../driver/server/index.ts';

export interface ReloadStandOptions {
  edition?: NginxEditionName;
  /** Servers of http by the name that they set; `PORT` in their text is theirs. Default: order-front. */
  http?: Record<string, string>;
  /** Stream servers, each in front of `upstream`, which answers `through`. */
  stream?: string[];
  /** Directives of http { }. */
  extra?: string;
  workers?: number;
  /** Directives of the main context. */
  main?: string;
  /** Whoever writes this includes the snippets where they belong. */
  bare?: boolean;
  /** Directives of stream { }. */
  streamExtra?: string;
  /** Of each stream server, in place of what protects it; with `HOOK` before it, beside that. */
  streamServer?: string;
}

export interface ReloadStand {
  readonly ports: Record<string, number>;
  /** Of the stream server that answers `through`. */
  readonly upstream: number;
  readonly folder: string;
  readonly snapshots: string;
  readonly configFile: string;
  readonly denyLog: string;
  readonly push: string;
  readonly streamPush: string;
  /** Those that test the configuration. */
  readonly words: readonly string[];
  readonly process: NginxProcess;
  /** One that waits so long for a reload. */
  processWithin(reloadTimeoutMs: number): NginxProcess;
  /** Not yet prepared; closed at the teardown. */
  point(own?: Partial<ReloadPointOptions>): ReloadPoint;
  denials(): Promise<Denial[]>;
  configure(change: Partial<ReloadStandOptions>): Promise<void>;
  reload(): Promise<void>;
  start(): Promise<void>;
  kill(): Promise<void>;
  restart(): Promise<void>;
  /** `nginx -t`: rejects as `test` of a process does. */
  test(): Promise<void>;
  /** What `nginx -T` prints. */
  dump(): Promise<string>;
}

export const FRONT = 'location / { return 200 "upstream\\n"; }';
/** As often as one likes, but for tests of the pace. */
export const NO_PACE = createReloadPace({ reloadsPerHour: 3600 * 1000, minSecondsBetween: 0 });

export async function reloadStand(t: Teardown, options: ReloadStandOptions = {}): Promise<ReloadStand> {
  const edition = await nginxEdition(options.edition ?? 'debian-12');
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-reload-'));
  const running: { nginx: RunningNginx | null; points: ReloadPoint[] } = { nginx: null, points: [] };
  t.teardown(async () => {
    await Promise.all(running.points.map((point) => point.close()));
    await running.nginx?.kill();
    await rm(folder, { recursive: true, force: true });
  });
  const snapshots = join(folder, 'snapshot');
  const configFile = join(folder, 'nginx.conf');
  const denyLog = join(folder, 'log/deny.log');
  const names = [...Object.keys(options.http ?? { 'order-front': '' }), ...(options.stream ?? [])];
  const ports = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await freePort()] as const)));
  const [listen, streamListen, upstream] = [await freePort(), await freePort(), await freePort()];
  await writeReloadSnippets({
    out: join(folder, 'snippets'),
    listen: `127.0.0.1:${listen}`,
    streamListen: `127.0.0.1:${streamListen}`,
    denyLog,
    snapshotFolder: snapshots,
  });
  const write = (own: ReloadStandOptions): Promise<void> =>
    writeFile(
      configFile,
      textOf({ load: edition.load('ngx_stream_module.so'), folder, ports, upstream, options: own }),
    );
  await write(options);
  const words = [...edition.binary.command, ...['-e', 'stderr', '-p', folder, '-c', configFile]];
  const pidFile = join(folder, 'nginx.pid');
  const processWithin = (reloadTimeoutMs: number): NginxProcess =>
    createNginxProcess({ point: 'edge-1', test: [...words, '-t'], reload: null, pidFile, reloadTimeoutMs });
  const process = processWithin(10_000);
  const start = async (): Promise<void> => {
    const listener = { host: '127.0.0.1', port: listen };
    running.nginx = await startNginx({ binary: edition.binary, prefix: folder, configFile, listener });
  };
  return {
    ports,
    upstream,
    folder,
    snapshots,
    configFile,
    denyLog,
    push: `http://127.0.0.1:${listen}`,
    streamPush: `tcp://127.0.0.1:${streamListen}`,
    words: [...words, '-t'],
    process,
    processWithin,
    point(own = {}) {
      const point = createReloadPoint({
        name: 'edge-1',
        push: `http://127.0.0.1:${listen}`,
        streamPush: `tcp://127.0.0.1:${streamListen}`,
        process,
        folder: snapshots,
        pace: NO_PACE,
        keep: 2,
        logger: createLogger({ level: 'silent' }),
        ...own,
      });
      running.points.push(point);
      return point;
    },
    denials: () => denialsIn(denyLog),
    configure: (change) => write({ ...options, ...change }),
    reload: async () => void (await process.reload()),
    start,
    kill: async () => running.nginx?.kill(),
    restart: async () => {
      await running.nginx?.kill();
      await start();
    },
    test: () => process.test(),
    dump: async () => (await runProgram(words[0] ?? '', [...words.slice(1), '-T'], { timeoutMs: 10_000 })).stdout,
  };
}

/** With a first snapshot and NGINX running. */
export async function startedStand(
  t: Teardown,
  options: ReloadStandOptions = {},
): Promise<ReloadStand & { first: ReloadPoint }> {
  const stand = await reloadStand(t, options);
  const first = stand.point();
  await first.prepare();
  await stand.start();
  return { ...stand, first };
}

interface Parts {
  load: string;
  folder: string;
  ports: Record<string, number>;
  upstream: number;
  options: ReloadStandOptions;
}

function textOf({ load, folder, ports, upstream, options }: Parts): string {
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  const temporary = ['client_body', 'proxy', 'fastcgi', 'scgi', 'uwsgi'].map((name) => `${name}_temp_path temp;`);
  const servers = Object.entries(options.http ?? { 'order-front': FRONT }).map(
    ([name, body]) => `  server {
    listen 127.0.0.1:${ports[name]};
    set_real_ip_from 127.0.0.1; real_ip_header X-Test-Source;
    ${httpText(folder, name, body)}
  }\n`,
  );
  const streams = (options.stream ?? []).map(
    (name) => `  server {
    ${options.streamServer === undefined ? streamText(folder, name, ports[name]) : ownStream(folder, ports[name], options.streamServer)}
  }\n`,
  );
  return `${load}${user}
pid nginx.pid;
error_log ${folder}/error.log warn;
worker_processes ${options.workers ?? 2};
${options.main ?? ''}
events { worker_connections 512; }
http {
  access_log ${folder}/log/access.log;
  default_type text/plain;
  ${temporary.join(' ')}
  ${options.bare === true ? '' : `include ${folder}/snippets/reload.conf;`}
  ${options.extra ?? ''}
${servers.join('')}}
stream {
  ${options.bare === true ? '' : `include ${folder}/snippets/reload-stream.conf;`}
  ${options.streamExtra ?? ''}
  upstream db { server 127.0.0.1:${upstream}; }
  server { listen 127.0.0.1:${upstream}; return "through"; }
${streams.join('')}}
`;
}

/** `HOOK` before lines that name the object and the port: they are protected. */
function httpText(folder: string, name: string, body: string): string {
  if (body.startsWith('HOOK ')) return `${body.slice(5)} include ${folder}/snippets/protect-reload.conf; ${FRONT}`;
  return body.includes('edgeward') ? body : `${hook(folder, name)}\n    ${body}`;
}

function ownStream(folder: string, port: number | undefined, text: string): string {
  if (!text.startsWith('HOOK ')) return `listen 127.0.0.1:${port}; ${text}`;
  const protect = `include ${folder}/snippets/protect-reload-stream.conf;`;
  return `listen 127.0.0.1:${port} proxy_protocol; set_real_ip_from 127.0.0.1; ${text.slice(5)} ${protect}`;
}

const streamText = (folder: string, name: string, port = 0): string => `listen 127.0.0.1:${port} proxy_protocol;
    set_real_ip_from 127.0.0.1;
    set $edgeward_server ${name}; set $edgeward_port 5432; set $edgeward_upstream db;
    include ${folder}/snippets/protect-reload-stream.conf;`;

export const hook = (folder: string, name: string): string =>
  `set $edgeward_server ${name}; set $edgeward_port 443; include ${folder}/snippets/protect-reload.conf;`;
