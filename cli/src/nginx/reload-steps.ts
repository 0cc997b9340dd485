/** `edgeward nginx snippets` for a point in reload mode: its own files, and what to do with them. */
import { type ReloadSnippetPaths, writeReloadSnippets } from '@edgeward/nginx-njs';
import type { PointConfig } from '@edgeward/sync-service';

export interface ReloadSnippetsOf {
  point: PointConfig;
  out: string;
  /** `127.0.0.1:9180`. */
  listen: string;
}

/** null: the point is in another mode, and nothing was written. */
export async function writtenForReload({ point, out, listen }: ReloadSnippetsOf): Promise<ReloadSnippetPaths | null> {
  if (point.native?.mode !== 'reload') return null;
  const paths = {
    out,
    listen,
    streamListen: point.streamPush?.replace(/^tcp:\/\//, '') ?? null,
    denyLog: point.denyLog,
    snapshotFolder: point.native.snapshot.folder,
  };
  await writeReloadSnippets(paths);
  return paths;
}

export function reloadSteps({ out, streamListen, snapshotFolder }: ReloadSnippetPaths): string {
  const stream =
    streamListen === null
      ? ''
      : `
In stream { } once, and in each of its servers, in place of its own proxy_pass:

  include ${out}/reload-stream.conf;

  set $edgeward_server orders-db;        # the VirtualServer's bind
  set $edgeward_upstream orders_db;      # an upstream block
  include ${out}/protect-reload-stream.conf;
`;
  return `Written to ${out}. Start \`edgeward serve\` first: it makes ${snapshotFolder}/current, which NGINX
includes. Then, once in http { }:

  include ${out}/reload.conf;

Test and reload NGINX, and wait until \`edgeward status\` says current. Then, in each server that is to be protected, before any
return or rewrite of its own:

  set $edgeward_server order-front;      # the VirtualServer's bind
  include ${out}/protect-reload.conf;
${stream}
and reload once more. Until a policy is in force, a protected server denies everything.
`;
}
