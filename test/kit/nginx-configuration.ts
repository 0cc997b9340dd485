/**
 * The nginx.conf of a private NGINX: the product's own snippets, included as a user includes them, and servers on
 * loopback. What is special to a test is said by the test.
 */
export interface EdgeServer {
  /** The key of this server in `ports`. */
  name: string;
  /** What `$edgeward_server` is set to; default: the name. null: it is not set, and the server is included all the same. */
  bind?: string | null;
  /** What `$edgeward_port` is set to; default 443. A variable may stand here, as in `bind`. */
  port?: number | string;
  /** Where `location /` leads; without it, it answers 200 by itself. */
  upstream?: string;
  /** Further directives of this server, `location`s mostly. */
  extra?: string;
  /** Whether `location /` is written; default true. */
  root?: boolean;
  /**
   * The source address is taken from X-Test-Source, so that any source can be tried from loopback. X-Forwarded-For
   * stays free for what a policy's `trustedProxies` say. For tests alone: never believe such a header elsewhere.
   */
  spoof?: boolean;
  http2?: boolean;
  /** Equal denials that are written in full in a window; default 0, each of them. */
  foldAfter?: number;
  /** The window; default: as http.conf says. */
  foldSeconds?: number;
  /** False: neither of the two lines, a server that is nobody's business. */
  protect?: boolean;
}

export interface ConfigurationParts {
  modulesDir: string;
  /** Beside njs. */
  modules: readonly string[];
  /** Which engine njs runs on, as a directive; empty for its own. */
  engine: string;
  workers: number;
  /** Folder with http.conf and protect.conf. */
  snippets: string;
  errorLog: string;
  servers: { server: EdgeServer; listen: number }[];
  /** Directives of the main context. */
  main: string;
  /** Directives of http { }. */
  extra: string;
}

export function configurationText(parts: ConfigurationParts): string {
  // Started as root, a worker would become `nobody`, whom a temporary folder is closed to.
  const user = process.getuid?.() === 0 ? 'user root;\n' : '';
  const temporary = ['client_body', 'proxy', 'fastcgi', 'scgi', 'uwsgi'].map((name) => `${name}_temp_path temp;`);
  const modules = ['ngx_http_js_module.so', ...parts.modules];
  return `${modules.map((module) => `load_module ${parts.modulesDir}/${module};\n`).join('')}${user}${parts.main}pid nginx.pid;
error_log ${parts.errorLog} warn;
worker_processes ${parts.workers};
events { worker_connections 1024; }
http {
  ${parts.engine}
  access_log off;
  server_tokens off;
  ${temporary.join(' ')}
  include ${parts.snippets}/http.conf;
  ${parts.extra}
${parts.servers.map(({ server, listen }) => serverText(server, listen, parts.snippets)).join('')}}
`;
}

function serverText(server: EdgeServer, listen: number, snippets: string): string {
  const spoof = server.spoof === true ? 'set_real_ip_from 127.0.0.1; real_ip_header X-Test-Source;' : '';
  const bind = server.bind === undefined ? server.name : server.bind;
  const lines = [
    `listen 127.0.0.1:${listen};`,
    server.http2 === true ? 'http2 on;' : '',
    spoof,
    ...(server.protect === false ? [] : [...folding(server), ...protection(bind, server.port ?? 443, snippets)]),
    server.extra ?? '',
    server.root === false ? '' : rootLocation(server.upstream),
  ];
  return `  server {\n${lines
    .filter((line) => line !== '')
    .map((line) => `    ${line}\n`)
    .join('')}  }\n`;
}

function folding({ foldAfter = 0, foldSeconds }: EdgeServer): string[] {
  const window = foldSeconds === undefined ? [] : [`set $edgeward_fold_seconds ${foldSeconds};`];
  return [`set $edgeward_fold_after ${foldAfter};`, ...window];
}

function protection(bind: string | null, port: number | string, snippets: string): string[] {
  const named = bind === null ? [] : [`set $edgeward_server ${bind};`];
  return [...named, `set $edgeward_port ${port};`, `include ${snippets}/protect.conf;`];
}

function rootLocation(upstream: string | undefined): string {
  const answer = upstream === undefined ? 'return 200 "upstream\\n";' : `proxy_pass ${upstream};`;
  return `location / { ${answer} }`;
}
