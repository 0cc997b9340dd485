/** `edgeward nginx snippets` for a point that has stream servers: what to do with stream.conf and protect-stream.conf. */
import type { PointConfig } from '@edgeward/sync-service';

/** `127.0.0.1:9181`; null: it has none. */
export function streamListenOf({ streamPush }: PointConfig): string | null {
  return streamPush?.replace(/^t(cp|ls):\/\//, '') ?? null;
}

/** Empty for a point without. */
export function streamSteps(point: PointConfig, out: string): string {
  if (point.streamPush === null) return '';
  return `
For the stream module, at the top of nginx.conf (the first line not where \`nginx -V\` shows --with-stream alone):

  load_module modules/ngx_stream_module.so;
  load_module modules/ngx_stream_js_module.so;

once in stream { }:

  include ${out}/stream.conf;

and, once \`edgeward status\` says current, in each server of stream { } that is to be protected:

  set $edgeward_server billing-db;       # the VirtualServer's bind, with protocol: tcp
  include ${out}/protect-stream.conf;
`;
}
