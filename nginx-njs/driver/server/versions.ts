/**
 * Asks an NGINX which versions it has. njs says its own nowhere but to a script in a running server (`nginx -t` compiles
 * a module and does not run it), so NGINX is started on a unix socket for a moment and asked. That also proves that it
 * runs on this machine at all.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { invocation, modulePath, type NginxCandidate } from './nginx-binary.ts';
import { runProgram } from './program-run.ts';
import { startNginx } from './start.ts';

export interface Versions {
  readonly nginxVersion: string;
  readonly njsVersion: string;
}

const answerTimeoutMs = 5_000;

/** Rejects when it does not run, does not load the module or does not answer; the message says which. */
export async function versionsOf(candidate: NginxCandidate): Promise<Versions> {
  const { program, args } = invocation(candidate, ['-v']);
  const run = await runProgram(program, args, { timeoutMs: answerTimeoutMs });
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
  const socketPath = join(folder, 's');
  const configFile = join(folder, 'nginx.conf');
  await writeFile(
    join(folder, 'v.js'),
    'function version(r) { r.return(200, njs.version); }\nexport default { version };\n',
  );
  await writeFile(configFile, configuration(candidate, folder));
  const nginx = await startNginx({
    binary: candidate,
    prefix: folder,
    configFile,
    listener: { path: socketPath },
    timeoutMs: answerTimeoutMs,
  });
  try {
    const version = await answerOf(socketPath);
    if (/^\d+(\.\d+)+$/.test(version)) return version;
    throw new Error(`njs gave no version but ${JSON.stringify(version.slice(0, 80))}`);
  } finally {
    await nginx.kill();
  }
}

/** The script lies in a folder that only this user may read, which is enough: it is read before NGINX changes its user. */
function configuration(candidate: NginxCandidate, folder: string): string {
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
  server { listen ${quoted(`unix:${join(folder, 's')}`)}; location / { js_content v.version; } }
}
`;
}

function quoted(path: string): string {
  return `"${path.replace(/["\\$]/g, '\\$&')}"`;
}

function answerOf(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ socketPath, path: '/', agent: false, timeout: answerTimeoutMs }, (response) => {
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
