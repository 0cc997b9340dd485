/**
 * One NGINX with one worker, in which everything that is compared has a server of its own: nothing, the peers, and Edgeward, all
 * with the same list. Sources come in `X-Real-IP` everywhere, the bare server included. The way a request goes is the same for
 * all: answered from memory, or passed to another NGINX over kept connections, or over TLS.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CompiledPolicy } from '@edgeward/policy';
import {
  compileDocuments,
  type Edge,
  type EdgeServer,
  freePort,
  nginxEdition,
  startEdge,
  testCertificates,
} from '../kit/index.ts';
import type { Bench } from './benchmark.ts';
import { cidrsOf, sourcesOf } from './nginx-cidrs.ts';
import { type Load, onOwnCores, startLoad, workerPid } from './nginx-load.ts';
import { LUA_MODULES, type Peer, writePeers } from './nginx-peers.ts';
import { documentsOf, PROTECTED, type Protected, protectedText } from './nginx-protected.ts';

export type Way = 'memory' | 'proxied' | 'tls';

export interface Variant {
  name: string;
  words: string;
  port: number;
  deniedOnly: boolean;
  /** Beside it, nothing is protected: 200 whoever asks. */
  bare: boolean;
}

export interface Site {
  edge: Edge;
  worker: number;
  load: Load;
  way: Way;
  variants: Variant[];
  policy: CompiledPolicy;
}

export interface SiteOptions {
  count: number;
  way: Way;
  /** Names of variants; all where it is null. `bare` always is. */
  only: readonly string[] | null;
}

/** How many sources ask, inside of the list and outside of it. */
const SOURCES = 4000;
const BARE = { name: 'bare', words: 'no protection' };

export async function startSite(bench: Bench, options: SiteOptions): Promise<Site> {
  const { count, way } = options;
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-bench-nginx-'));
  bench.teardown(() => rm(folder, { recursive: true, force: true }));
  const edition = await nginxEdition('debian-13-lua');
  const cidrs = cidrsOf(count);
  const wanted = (name: string): boolean => options.only === null || options.only.includes(name);
  const peers = (await writePeers(folder, cidrs, edition)).filter(({ name }) => wanted(name) || name === 'lua');
  const policy = compileDocuments(documentsOf(cidrs), { revision: 1 });
  const secured = way === 'tls' ? await tlsText(folder) : null;
  const upstream = way === 'proxied' ? await startUpstreamNginx(bench) : null;
  const own = PROTECTED.filter(({ name }) => wanted(name));
  const servers = await serversOf(peers, own, { upstream, secured });
  const hasSnapshot = own.some(({ hook }) => hook !== 'live');
  const edge = await startEdge(bench, {
    edition: 'debian-13-lua',
    modules: LUA_MODULES,
    workers: 1,
    startTimeoutMs: 120_000,
    zoneSize: zoneSizeFor(count),
    servers: servers.map(({ server }) => server),
    extra: httpText(peers, upstream),
    ...(hasSnapshot ? { hybrid: { cachedCheck: false } } : {}),
  });
  await bringIntoForce(edge, policy, hasSnapshot);
  const load = startLoad(bench);
  const { inside, outside } = sourcesOf(cidrs, SOURCES);
  await load.sources({ allowed: inside, denied: outside });
  const variants = servers
    .filter(({ variant }) => variant.bare || wanted(variant.name))
    .map(({ variant, tlsPort }) => ({ ...variant, port: tlsPort ?? edge.ports[variant.name] ?? 0 }));
  const worker = await workerPid(edge);
  await onOwnCores(worker, [load.pid]);
  return { edge, worker, load, way, variants, policy };
}

async function bringIntoForce(edge: Edge, policy: CompiledPolicy, hasSnapshot: boolean): Promise<void> {
  const patient = { timeoutMs: 30_000 };
  if (!hasSnapshot) return void (await edge.point(patient).apply(policy));
  const point = edge.hybrid(patient);
  await point.apply(policy);
  await point.takeSnapshot();
}

interface Served {
  server: EdgeServer;
  variant: Omit<Variant, 'port'>;
  tlsPort: number | null;
}

interface Surroundings {
  /** The port to which requests are passed. */
  upstream: number | null;
  /** Directives of a server that listens with TLS. */
  secured: string | null;
}

async function serversOf(peers: readonly Peer[], own: readonly Protected[], around: Surroundings): Promise<Served[]> {
  const location = around.upstream === null ? 'empty_gif;' : PASSED;
  const served = async (name: string, words: string, extra: string, deniedOnly = false): Promise<Served> => {
    const tlsPort = around.secured === null ? null : await freePort();
    const listen = tlsPort === null ? '' : `listen 127.0.0.1:${tlsPort} ssl; ${around.secured}`;
    return {
      server: { name, protect: false, root: false, extra: `${listen}\n${extra}\nlocation / { ${location} }` },
      variant: { name, words, deniedOnly, bare: name === BARE.name },
      tlsPort,
    };
  };
  const all = [served(BARE.name, BARE.words, '')];
  for (const { name, words, server, deniedOnly } of peers) all.push(served(name, words, server, deniedOnly));
  for (const it of own) all.push(served(it.name, it.words, await protectedText(it), it.lines));
  return Promise.all(all);
}

const PASSED = 'proxy_pass http://bench_upstream; proxy_http_version 1.1; proxy_set_header Connection "";';
const KEPT = 'keepalive_requests 100000000; keepalive_time 10h;';

function httpText(peers: readonly Peer[], upstream: number | null): string {
  const passed =
    upstream === null ? '' : `upstream bench_upstream { server 127.0.0.1:${upstream}; keepalive 64; ${KEPT} }`;
  // At this level, so that the bare server pays for it as well.
  const source = 'set_real_ip_from 127.0.0.1; real_ip_header X-Real-IP;';
  return [KEPT, source, passed, ...peers.map(({ http }) => http)].join('\n  ');
}

/** An NGINX of its own: what it costs to answer is not what it costs to ask it. */
async function startUpstreamNginx(bench: Bench): Promise<number> {
  const edge = await startEdge(bench, {
    edition: 'debian-13-lua',
    workers: 1,
    servers: [{ name: 'upstream', protect: false }],
    extra: KEPT,
  });
  return edge.port;
}

async function tlsText(folder: string): Promise<string> {
  const { certFile, keyFile } = await (await testCertificates(folder)).server();
  return `ssl_certificate ${certFile}; ssl_certificate_key ${keyFile};`;
}

function zoneSizeFor(count: number): string {
  return `${16 + Math.ceil((count * 300) / 2 ** 20)}m`;
}
