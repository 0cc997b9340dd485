/**
 * An NGINX without any module of ours, that answers with what the native blocks say of a flow: over HTTP the source,
 * object and port stand in headers, over a plain connection in the PROXY protocol. No policy is pushed to it.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { startNginx } from '@edgeward/nginx-njs';
import type { Flow } from '@edgeward/policy';
import { freePort, type NginxEditionName, nginxEdition, rawRequest, type Teardown } from '@edgeward/test/kit';
import type { NativeSnapshot } from '../../driver/native/index.ts';

export interface NativeEcho {
  /** `mark`: what `Edgeward-Proof` says. */
  http(flow: Flow, mark?: string): Promise<string>;
  /** Over a unix socket. */
  unix(flow: Flow): Promise<string>;
  stream(flow: Flow): Promise<string>;
  errorLog: string;
}

export const NATIVE_WORDS = '$edgeward_native|$edgeward_active';

export async function startNativeEcho(
  t: Teardown,
  make: (folder: string) => NativeSnapshot,
  edition: NginxEditionName = 'debian-13',
): Promise<NativeEcho> {
  const { binary, load } = await nginxEdition(edition);
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-native-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const snapshot = make(folder);
  for (const { name, text } of snapshot.files) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  const [http, stream] = [await freePort(), await freePort()];
  const errorLog = join(folder, 'error.log');
  const configFile = join(folder, 'nginx.conf');
  const generation = join(folder, snapshot.generation);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'scgi', 'uwsgi'].map((name) => `${name}_temp_path temp;`);
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  const ofStream = snapshot.files.find(({ name }) => name.endsWith('stream.conf'))?.text ?? '';
  const binds = [...ofStream.matchAll(BINDS)];
  const streamWords = ofStream.includes(' $edgeward_native ') ? NATIVE_WORDS : '$edgeward_active';
  await writeFile(
    configFile,
    `${load('ngx_stream_module.so')} ${user} pid nginx.pid; error_log ${errorLog} warn; worker_processes 1;
events { }
http {
  access_log off; ${temporary.join(' ')}
  map $http_x_test_server $edgeward_server { default $http_x_test_server; }
  map $http_x_test_port $edgeward_port { default $http_x_test_port; }
  include ${generation}/http.conf;
  server {
    listen 127.0.0.1:${http}; listen unix:${folder}/echo.sock;
    set_real_ip_from 127.0.0.1; real_ip_header X-Test-Source;
    location / { return 200 "${NATIVE_WORDS}"; }
  }
}
stream {
  # The number of the object, which the answer leads back to its name.
  map $proxy_protocol_server_addr $edgeward_server { default "unheard-of"; ${binds.map(([, bind], i) => objectLines(i, bind)).join(' ')} }
  map $proxy_protocol_server_port $edgeward_port { default $proxy_protocol_server_port; }
  include ${generation}/stream.conf;
  server {
    listen 127.0.0.1:${stream} proxy_protocol;
    set_real_ip_from 127.0.0.1;
    return "${streamWords}";
  }
}
`,
  );
  const listener = { host: '127.0.0.1', port: http };
  const nginx = await startNginx({ binary, prefix: folder, configFile, listener });
  t.teardown(() => nginx.kill());
  const indexOf = new Map(binds.map(([, bind], i) => [bind ?? '', i]));
  return {
    http: async (flow, mark = '') => (await rawRequest({ port: http, bytes: requestOf(flow, mark) })).body,
    unix: (flow) => said({ path: join(folder, 'echo.sock') }, requestOf(flow, '')),
    stream: (flow) => said({ host: '127.0.0.1', port: stream }, proxyLine(flow, indexOf.get(flow.to) ?? 65535)),
    errorLog,
  };
}

/** On a line of IPv6 both ends are, so the number is mapped there. */
const objectLines = (i: number, bind = ''): string =>
  ['', '::ffff:'].map((mapped) => `${mapped}10.${i >> 8}.${i & 255}.0 "${bind}";`).join(' ');

/** Names of objects, as `$edgeward_named` lists them. */
const BINDS = /^ {4}"~?\^?(?:\(\?:)?([^"$)]+)\)?\$?" "\1";$/gm;

function requestOf(flow: Flow, mark: string): string {
  const headers = [
    'Host: echo',
    `X-Test-Source: ${flow.from}`,
    `X-Test-Server: ${flow.to}`,
    `X-Test-Port: ${flow.port.slice('tcp/'.length)}`,
    ...(mark === '' ? [] : [`Edgeward-Proof: ${mark}`]),
    'Connection: close',
  ];
  return `${flow.method ?? 'GET'} ${flow.path ?? '/'} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`;
}

function proxyLine(flow: Flow, index: number): string {
  const six = flow.from.includes(':');
  const to = `10.${index >> 8}.${index & 255}.0`;
  return `PROXY ${six ? 'TCP6' : 'TCP4'} ${flow.from} ${six ? `::ffff:${to}` : to} 4000 ${flow.port.slice('tcp/'.length)}\r\n`;
}

function said(at: { path: string } | { host: string; port: number }, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(at);
    let text = '';
    socket.setTimeout(20_000, () => socket.destroy(new Error('no answer within 20 s')));
    socket.on('connect', () => socket.write(bytes));
    socket.on('data', (piece) => {
      text += piece;
    });
    socket.on('end', () => socket.destroy());
    socket.on('close', (failed) => {
      if (!failed) resolve(text.includes('\r\n\r\n') ? text.slice(text.indexOf('\r\n\r\n') + 4) : text);
    });
    socket.on('error', reject);
  });
}
