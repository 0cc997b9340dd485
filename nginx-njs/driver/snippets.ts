import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EdgewardError, writeDurably } from '@edgeward/runtime';

/**
 * The files that a user includes, with the paths of this installation. `conf/` holds them with the default paths, ready
 * to be copied by hand; here only those paths are replaced, and only by paths that NGINX reads as one word.
 */
export interface SnippetPaths {
  /** Folder for http.conf, protect.conf and edgeward.js. */
  out: string;
  /** `127.0.0.1:9180` */
  listen: string;
  tokenFile: string;
  denyLog: string;
  lastKnownFile: string;
  /** Such as `64m`. */
  zoneSize: string;
}

const SAFE_PATH = /^\/[A-Za-z0-9._/@+-]+$/;

export async function writeSnippets(paths: SnippetPaths): Promise<void> {
  for (const path of [paths.out, paths.tokenFile, paths.denyLog, paths.lastKnownFile]) requireSafe(path);
  const replacements: [string, string][] = [
    ['/etc/edgeward/nginx/', `${paths.out}/`],
    ['/var/log/edgeward/deny.log', paths.denyLog],
    ['/var/lib/edgeward/last-known', paths.lastKnownFile],
    ['/etc/edgeward/push-token', paths.tokenFile],
    ['127.0.0.1:9180', paths.listen],
    ['zone=edgeward:64m', `zone=edgeward:${paths.zoneSize}`],
  ];
  await mkdir(paths.out, { recursive: true });
  await mkdir(dirname(paths.denyLog), { recursive: true });
  for (const name of ['http.conf', 'protect.conf']) {
    let text = await readFile(join(confFolder(), name), 'utf8');
    for (const [from, to] of replacements) text = text.replaceAll(from, to);
    await writeDurably(join(paths.out, name), text, { mode: 0o644 });
  }
  await copyFile(join(confFolder(), '../dist/edgeward.js'), join(paths.out, 'edgeward.js'));
}

/** The folder is the same distance away from the source and from what is built of it, but for one level. */
function confFolder(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  return here.endsWith(join('dist', 'driver')) ? join(here, '../../conf') : join(here, '../conf');
}

function requireSafe(path: string): void {
  if (SAFE_PATH.test(path)) return;
  throw new EdgewardError('EDW_ERR_NGINX_PATH', `${JSON.stringify(path)} can't stand in an NGINX configuration`, {
    mend: 'Use an absolute path of letters, digits and . _ / @ + - only.',
  });
}
