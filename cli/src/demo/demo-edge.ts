/** A private NGINX in front of a small upstream, protected as any NGINX is: two lines in each server. */
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { type NginxBinary, type RunningNginx, startNginx, writeSnippets } from '@edgeward/nginx-njs';
import type { PointConfig } from '@edgeward/sync-service';

export interface DemoServer {
  /** `server_name`, which requests name as their host. */
  host: string;
  /** The VirtualServer's `bind`. */
  bind: string;
}

export interface DemoEdgeOptions {
  binary: NginxBinary;
  folder: string;
  point: PointConfig;
  port: number;
  servers: readonly DemoServer[];
  upstreamPort: number;
}

export async function startDemoEdge(options: DemoEdgeOptions): Promise<RunningNginx> {
  const { folder, point, port } = options;
  const snippets = join(folder, 'nginx');
  await mkdir(join(folder, 'temp'), { recursive: true });
  await writeSnippets({
    out: snippets,
    listen: new URL(point.push).host,
    tokenFile: point.tokenFile,
    denyLog: point.denyLog,
    lastKnownFile: point.lastKnownFile,
    zoneSize: '8m',
  });
  const configFile = join(folder, 'nginx.conf');
  await writeFile(configFile, configuration(options, snippets));
  return startNginx({ binary: options.binary, prefix: folder, configFile, listener: { host: '127.0.0.1', port } });
}

/** Answers whatever reaches it, so that a 200 proves that NGINX let the request through. */
export async function startUpstream(): Promise<{ port: number; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'text/plain');
    response.end(`the upstream saw ${request.method} ${request.url}\n`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function configuration({ binary, folder, port, servers, upstreamPort }: DemoEdgeOptions, snippets: string): string {
  // Started as root, the workers would become `nobody`, whom a temporary folder is closed to.
  const user = process.getuid?.() === 0 ? 'user root;\n' : '';
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `    ${name}_temp_path ${folder}/temp;`,
  );
  return `load_module ${binary.modulesDir}/ngx_http_js_module.so;
${user}worker_processes 2;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
events { worker_connections 512; }

http {
    access_log off;
${temporary.join('\n')}

    include ${snippets}/http.conf;

${servers.map((server) => serverBlock(server, port, upstreamPort, snippets)).join('\n')}}
`;
}

function serverBlock(server: DemoServer, port: number, upstreamPort: number, snippets: string): string {
  return `    server {
        listen 127.0.0.1:${port};
        server_name ${server.host};
        set $edgeward_port 80;
        set $edgeward_server ${server.bind};
        include ${snippets}/protect.conf;

        location / { proxy_pass http://127.0.0.1:${upstreamPort}; }
    }
`;
}
