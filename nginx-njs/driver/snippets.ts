import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EdgewardError, stateWriteError, writeDurably } from '@edgeward/runtime';
import { lowerAll } from './hybrid/all-flags.ts';

/**
 * The files that a user includes, with the paths of this installation. `conf/` holds them with the default paths, ready
 * to be copied by hand; here only those paths are replaced, and only by paths that NGINX reads as one word.
 */
export interface SnippetPaths {
  /** Folder for http.conf, protect.conf and edgeward.js; push-tls.conf too where pushes come over TLS. */
  out: string;
  /** `127.0.0.1:9180`; with `pushTls` its port counts. */
  listen: string;
  /** `127.0.0.1:9181`, for stream.conf and protect-stream.conf too; null: no stream servers. */
  streamListen?: string | null;
  /** Pushes come from elsewhere, by mutual TLS; without it from loopback. */
  pushTls?: PushTlsSnippet | null;
  /** For mode hybrid the folder of snapshots: hybrid.conf too, and another protect.conf. */
  hybrid?: string | null;
  tokenFile: string;
  denyLog: string;
  lastKnownFile: string;
  /** Such as `64m`. */
  zoneSize: string;
}

export interface PushTlsSnippet {
  /** Holds certificate.pem, key.pem and client-ca.pem. */
  folder: string;
  /** Subjects that may push, as RFC 2253 writes them: `CN=edgeward`. One at least. */
  clients: readonly string[];
}

const SAFE_PATH = /^\/[A-Za-z0-9._/@+-]+$/;
/** No quote, backslash, dollar or brace: nothing that ends a word of NGINX, or escapes anything in it. */
const SAFE_SUBJECT = /^[A-Za-z][A-Za-z0-9.]*=[A-Za-z0-9 .,=_@:/+-]{1,500}$/;
/** In http.conf: the rest of that file, which push-tls.conf stands in for. */
const PUSH_ON_LOOPBACK = /^# Where the sync service pushes the policy\. Loopback only\.\n[\s\S]*$/m;
const STREAM_PUSH_ON_LOOPBACK = /^# Where the sync service pushes the policy\. Loopback only\.\njs_var[\s\S]*$/m;
const HYBRID_INCLUDE = '\ninclude /etc/edgeward/nginx/hybrid.conf;\n';
/** In push-tls.conf, the example. */
const PUSH_CLIENT = /^ {4}"~\^SUCCESS CN=edgeward\$" 0;$/m;

/**
 * Of an NGINX that was not in mode hybrid, and comes to it, the flags of an earlier time are taken away: pushes in between
 * left them. Throws EDW_ERR_NGINX_PATH, EDW_ERR_PUSH_CLIENT, EDW_ERR_SNAPSHOT_FLAGS.
 */
export async function writeSnippets(paths: SnippetPaths): Promise<void> {
  const { out, pushTls = null } = paths;
  for (const path of [out, paths.tokenFile, paths.denyLog, paths.lastKnownFile]) requireSafe(path);
  if (pushTls !== null) requireSafe(pushTls.folder);
  const clients = pushTls === null ? '' : clientLines(pushTls.clients);
  await makeFolder(out);
  await makeFolder(dirname(paths.denyLog));
  if (paths.hybrid && !(await includesSnapshots(out))) await lowerAll(paths.hybrid);
  // The module first: it serves the files of an earlier version too, and those of this one want what it has.
  await writeDurably(join(out, 'edgeward.js'), await readFile(join(confFolder(), '../dist/edgeward.js')), {
    mode: 0o644,
  });
  const write: Write = async (name, changed) => {
    const text = changed(await readFile(join(confFolder(), name), 'utf8'));
    await writeDurably(join(out, name), withPaths(text, paths), { mode: 0o644 });
  };
  const include = '# Where the sync service pushes the policy.\ninclude /etc/edgeward/nginx/push-tls.conf;\n';
  const own = (text: string): string => (pushTls === null ? text : text.replace(PUSH_ON_LOOPBACK, include));
  await write('http.conf', (text) => own(text) + (paths.hybrid ? HYBRID_INCLUDE : ''));
  await (paths.hybrid ? writeHybridSnippets(write, paths.hybrid) : write('protect.conf', (text) => text));
  if (pushTls !== null) await write('push-tls.conf', (text) => text.replace(PUSH_CLIENT, () => clients));
  const { streamListen = null } = paths;
  if (streamListen !== null) await writeStreamSnippets(write, streamListen, pushTls === null ? null : clients);
}

async function includesSnapshots(out: string): Promise<boolean> {
  const text = await readFile(join(out, 'http.conf'), 'utf8').catch(() => '');
  return /^include .*\/hybrid\.conf;$/m.test(text);
}

type Write = (name: string, changed: (text: string) => string) => Promise<void>;

/** One name for protect.conf in every mode, so that no server includes that of another. */
async function writeHybridSnippets(write: Write, folder: string): Promise<void> {
  requireSafe(folder);
  const protect = await readFile(join(confFolder(), 'protect-hybrid.conf'), 'utf8');
  await write('hybrid.conf', (text) => text);
  await write('protect.conf', () => protect);
}

/** `clients` are the lines of those that may push over TLS; null: pushes come from loopback. */
async function writeStreamSnippets(write: Write, listen: string, clients: string | null): Promise<void> {
  const include = '# Where the sync service pushes the policy.\ninclude /etc/edgeward/nginx/stream-push-tls.conf;\n';
  const own = (text: string): string => (clients === null ? text : text.replace(STREAM_PUSH_ON_LOOPBACK, include));
  await write('stream.conf', (text) => withStreamListen(own(text), listen));
  await write('protect-stream.conf', (text) => text);
  if (clients === null) return;
  await write('stream-push-tls.conf', (text) => withStreamListen(text, listen).replace(PUSH_CLIENT, () => clients));
}

export async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true }).catch((cause: unknown) => {
    throw stateWriteError(path, cause);
  });
}

function withPaths(text: string, paths: SnippetPaths): string {
  const port = portOf(paths.listen);
  const replacements: [string, string][] = [
    ['/etc/edgeward/nginx/', `${paths.out}/`],
    ['/etc/edgeward/push-tls/', `${paths.pushTls?.folder ?? ''}/`],
    ['/var/log/edgeward/deny.log', paths.denyLog],
    ['/var/lib/edgeward/last-known', paths.lastKnownFile],
    ['/etc/edgeward/push-token', paths.tokenFile],
    ['/var/lib/edgeward/snapshot', paths.hybrid ?? ''],
    ['127.0.0.1:9180', paths.listen],
    ['listen 9180 ', `listen ${port} `],
    ['listen [::]:9180 ', `listen [::]:${port} `],
    ['zone=edgeward:64m', `zone=edgeward:${paths.zoneSize}`],
    ['zone=edgeward_stream:64m', `zone=edgeward_stream:${paths.zoneSize}`],
  ];
  return replaced(text, replacements);
}

/** In the files of the stream module alone: a push may listen where the other one customarily does. */
function withStreamListen(text: string, listen: string): string {
  const port = portOf(listen);
  return replaced(text, [
    ['127.0.0.1:9181', listen],
    ['listen 9181 ', `listen ${port} `],
    ['listen [::]:9181 ', `listen [::]:${port} `],
  ]);
}

function replaced(text: string, replacements: [string, string][]): string {
  return replacements.reduce((changed, [from, to]) => changed.replaceAll(from, to), text);
}

function portOf(listen: string): string {
  return listen.slice(listen.lastIndexOf(':') + 1);
}

/** Whole subjects, compared as they are: NGINX compares without case what is no regular expression. */
function clientLines(clients: readonly string[]): string {
  const bad = clients.find((client) => !SAFE_SUBJECT.test(client));
  if (bad === undefined && clients.length > 0) {
    const literal = (client: string): string => client.replaceAll(/[.+]/g, '\\$&');
    return clients.map((client) => `    "~^SUCCESS ${literal(client)}$" 0;`).join('\n');
  }
  const problem = bad === undefined ? 'no client is named' : `${JSON.stringify(bad)} is no subject of a certificate`;
  throw new EdgewardError('EDW_ERR_PUSH_CLIENT', `naming who may push: ${problem}`, {
    mend: 'Write the subject as `openssl x509 -noout -subject -nameopt RFC2253` shows it, such as CN=edgeward; of letters, digits, spaces and . , = _ @ : / + - only.',
  });
}

/** The folder is the same distance away from the source and from what is built of it, but for one level. */
export function confFolder(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  return here.endsWith(join('dist', 'driver')) ? join(here, '../../conf') : join(here, '../conf');
}

export function requireSafe(path: string): void {
  if (SAFE_PATH.test(path)) return;
  throw new EdgewardError('EDW_ERR_NGINX_PATH', `${JSON.stringify(path)} can't stand in an NGINX configuration`, {
    mend: 'Use an absolute path of letters, digits and . _ / @ + - only.',
  });
}
