/** The stream { } of a private NGINX: the product's own snippets, included as a user includes them. */
export interface StreamServer {
  /** The key of this server in `ports`. */
  name: string;
  /** What `$edgeward_server` is set to; default: the name. null: it is not set, and the server is included all the same. */
  bind?: string | null;
  /** What `$edgeward_port` is set to; default 5432. null: the listener's counts. */
  port?: number | string | null;
  /** `127.0.0.1:5432`; without it the server says `through` and closes. */
  upstream?: string;
  /** Further directives of this server. */
  extra?: string;
  /**
   * The source address is taken from a PROXY protocol header, so that any source can be tried from loopback. For tests
   * alone: elsewhere only balancers may say so.
   */
  spoof?: boolean;
  udp?: boolean;
  /** Equal denials that are written in full in a window; default 0, each of them. */
  foldAfter?: number;
  /** The window; default: as stream.conf says. */
  foldSeconds?: number;
  /** False: neither of the two lines, a server that is nobody's business. */
  protect?: boolean;
}

export const streamModules: readonly string[] = ['ngx_stream_module.so', 'ngx_stream_js_module.so'];

export interface StreamParts {
  engine: string;
  /** Folder with stream.conf and protect-stream.conf. */
  snippets: string;
  servers: { server: StreamServer; listen: number }[];
}

export function streamText({ engine, snippets, servers }: StreamParts): string {
  return `stream {
  ${engine}
  include ${snippets}/stream.conf;
${servers.map(({ server, listen }) => serverText(server, listen, snippets)).join('')}}
`;
}

function serverText(server: StreamServer, listen: number, snippets: string): string {
  const options = [server.udp === true ? 'udp' : '', server.spoof === true ? 'proxy_protocol' : ''];
  const lines = [
    `listen ${[`127.0.0.1:${listen}`, ...options].filter((it) => it !== '').join(' ')};`,
    server.spoof === true ? 'set_real_ip_from 127.0.0.1;' : '',
    ...(server.protect === false ? [] : protection(server, snippets)),
    server.extra ?? '',
    server.upstream === undefined ? 'return "through\\n";' : `proxy_pass ${server.upstream};`,
  ];
  return `  server {\n${lines
    .filter((line) => line !== '')
    .map((line) => `    ${line}\n`)
    .join('')}  }\n`;
}

function protection(server: StreamServer, snippets: string): string[] {
  const bind = server.bind === undefined ? server.name : server.bind;
  const port = server.port === undefined ? 5432 : server.port;
  return [
    ...(bind === null ? [] : [`set $edgeward_server ${bind};`]),
    ...(port === null ? [] : [`set $edgeward_port ${port};`]),
    `set $edgeward_fold_after ${server.foldAfter ?? 0};`,
    ...(server.foldSeconds === undefined ? [] : [`set $edgeward_fold_seconds ${server.foldSeconds};`]),
    `include ${snippets}/protect-stream.conf;`,
  ];
}
