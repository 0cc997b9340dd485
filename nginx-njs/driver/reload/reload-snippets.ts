/**
 * The files that a user includes for reload mode, with the paths of this installation. `conf/` holds them with the default
 * paths; here only those are replaced, and only by what NGINX reads as one word.
 */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeDurably } from '@edgeward/runtime';
import { confFolder, makeFolder, requireSafe } from '../snippets.ts';

export interface ReloadSnippetPaths {
  /** Folder for reload.conf and protect-reload.conf; reload-stream.conf and protect-reload-stream.conf with `streamListen`. */
  out: string;
  /** Loopback, `127.0.0.1:9180`. */
  listen: string;
  /** Loopback, `127.0.0.1:9181`; null: this NGINX carries no stream servers. */
  streamListen: string | null;
  denyLog: string;
  snapshotFolder: string;
}

/** Throws EDW_ERR_NGINX_PATH. */
export async function writeReloadSnippets(paths: ReloadSnippetPaths): Promise<void> {
  for (const path of [paths.out, paths.denyLog, paths.snapshotFolder]) requireSafe(path);
  await makeFolder(paths.out);
  await makeFolder(dirname(paths.denyLog));
  const stream = paths.streamListen === null ? [] : ['reload-stream.conf', 'protect-reload-stream.conf'];
  for (const name of ['reload.conf', 'protect-reload.conf', ...stream]) {
    const text = await readFile(join(confFolder(), name), 'utf8');
    await writeDurably(join(paths.out, name), withPaths(text, paths), { mode: 0o644 });
  }
}

function withPaths(text: string, paths: ReloadSnippetPaths): string {
  const streamListen = paths.streamListen ?? '127.0.0.1:9181';
  const streamPort = streamListen.slice(streamListen.lastIndexOf(':') + 1);
  const replacements: [string, string][] = [
    ['/etc/edgeward/nginx/', `${paths.out}/`],
    ['/var/log/edgeward/deny.log', paths.denyLog],
    ['/var/lib/edgeward/snapshot/', `${paths.snapshotFolder}/`],
    ['127.0.0.1:9180', paths.listen],
    ['127.0.0.1:9181', streamListen],
    ['127.0.0.2:9181', `127.0.0.2:${streamPort}`],
  ];
  return replacements.reduce((changed, [from, to]) => changed.replaceAll(from, to), text);
}
