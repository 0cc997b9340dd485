/**
 * Asks an NGINX which versions it has. njs says its own nowhere but to a script in a running server (`nginx -t` compiles
 * a module and does not run it), so NGINX is started for a moment and asked: on a unix socket, or from a container on
 * loopback. That also proves that it runs at all, and that what it sees of a client is the client.
 */
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from '@edgeward/debian-packages';
import { invocation } from './invocation.ts';
import { modulePath, type NginxCandidate } from './nginx-binary.ts';
import { type Listener, listens } from './readiness.ts';
import { startNginx } from './start.ts';

export interface Versions {
  readonly nginxVersion: string;
  readonly njsVersion: string;
}

const answerTimeoutMs = 5_000;
/** A container has to be made first. */
const containerTimeoutMs = 30_000;

/** Rejects when it does not run, does not load the module or does not answer; the message says which. */
export async function versionsOf(candidate: NginxCandidate): Promise<Versions> {
  const timeoutMs = candidate.image === undefined ? answerTimeoutMs : containerTimeoutMs;
  const { program, args } = invocation(candidate, ['-v']);
  const run = await runProgram(program, args, { timeoutMs });
  const nginxVersion = /nginx version: [\w-]+\/(\d+(?:\.\d+)+)/.exec(run.stderr)?.[1];
  if (nginxVersion === undefined) throw new Error(`${program} is no NGINX: ${run.failure ?? run.stderr.slice(0, 200)}`);
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-njs-'));
  try {
    return { nginxVersion, njsVersion: await njsVersionOf(candidate, folder) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function njsVersionOf(candidate: NginxCandidate, folder: string): Promise<string> {
  const listener = candidate.image === undefined ? { path: join(folder, 's') } : await freeAddress();
  const configFile = join(folder, 'nginx.conf');
  await writeFile(
    join(folder, 'v.js'),
    "function version(r) { r.return(200, njs.version + ' ' + r.remoteAddress); }\nexport default { version };\n",
  );
  await writeFile(configFile, configuration(candidate, folder, listener));
  const timeoutMs = candidate.image === undefined ? answerTimeoutMs : containerTimeoutMs;
  const nginx = await startNginx({ binary: candidate, prefix: folder, configFile, timeoutMs });
  try {
    if (!(await listens(listener, answerTimeoutMs))) throw new Error(unreachable(candidate));
    const answer = await answerOf(listener);
    const [version = '', client] = answer.split(' ');
    if (!/^\d+(\.\d+)+$/.test(version))
      throw new Error(`njs gave no version but ${JSON.stringify(answer.slice(0, 80))}`);
    if ('host' in listener && client !== listener.host) throw new Error(`${unreachable(candidate)} (it saw ${client})`);
    return version;
  } finally {
    await nginx.kill();
  }
}

/** A socket in a folder proves nothing about the network, which in a container may not be this machine's. */
async function freeAddress(): Promise<{ host: string; port: number }> {
  const host = '127.0.0.1';
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return { host, port: typeof address === 'object' && address !== null ? address.port : 0 };
}

function unreachable({ image }: NginxCandidate): string {
  if (image === undefined) return 'NGINX runs, and does not answer';
  return `NGINX in ${image} runs, but the network it is on is not this machine's own: Docker has to run here, and Docker Desktop needs host networking switched on in its settings`;
}

/** The script lies in a folder that only this user may read, which is enough: it is read before NGINX changes its user. */
function configuration(candidate: NginxCandidate, folder: string, listener: Listener): string {
  const listen = 'path' in listener ? quoted(`unix:${listener.path}`) : `${listener.host}:${listener.port}`;
  const temporary = ['client_body', 'proxy', 'fastcgi', 'scgi', 'uwsgi'];
  return `load_module ${quoted(modulePath(candidate))};
pid nginx.pid;
error_log stderr error;
worker_processes 1;
events { worker_connections 16; }
http {
  access_log off;
  ${temporary.map((name) => `${name}_temp_path ${quoted(join(folder, 'temp'))};`).join('\n  ')}
  js_import v from ${quoted(join(folder, 'v.js'))};
  server { listen ${listen}; location / { js_content v.version; } }
}
`;
}

function quoted(path: string): string {
  return `"${path.replace(/["\\$]/g, '\\$&')}"`;
}

function answerOf(listener: Listener): Promise<string> {
  const place = 'path' in listener ? { socketPath: listener.path } : listener;
  return new Promise((resolve, reject) => {
    const request = get({ ...place, path: '/', agent: false, timeout: answerTimeoutMs }, (response) => {
      response.setEncoding('utf8');
      let body = '';
      response.on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => resolve(body));
      response.on('error', reject);
    });
    request.on('timeout', () => request.destroy(new Error('no answer from NGINX')));
    request.on('error', reject);
  });
}
