/**
 * What the tests of this folder share: one NGINX for all of them, a free port, a configuration, and a look at processes.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '@edgeward/runtime';
import type { TAP, Test } from 'tap';
import {
  defaultCacheDir,
  findNginx,
  type NginxBinary,
  type RunningNginx,
  startNginx,
} from '../../driver/server/index.ts';

/** Where no NGINX can be had the whole file is skipped with the reason, but never in CI. */
export async function nginxBinary(t: TAP): Promise<NginxBinary> {
  try {
    return await findNginx({ cacheDir: defaultCacheDir() });
  } catch (error) {
    if (process.env.CI !== undefined) throw error;
    t.plan(0, messageOf(error));
    process.exit(0);
  }
}

/** A server that answers `body` on `port`, in `folder`. Gives the path of its configuration. */
export async function writeConfig(
  folder: string,
  of: { binary: NginxBinary; port: number; body: string; workers?: number; extra?: string },
): Promise<string> {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'scgi', 'uwsgi'];
  await mkdir(folder, { recursive: true });
  const text = `load_module ${of.binary.modulesDir}/ngx_http_js_module.so;
pid nginx.pid;
worker_processes ${of.workers ?? 2};
events { worker_connections 64; }
http {
  access_log off;
  ${temporary.map((name) => `${name}_temp_path temp;`).join(' ')}
  server { listen 127.0.0.1:${of.port}; location / { return 200 ${of.body}; } ${of.extra ?? ''} }
}
`;
  const path = join(folder, 'nginx.conf');
  await writeFile(path, text);
  return path;
}

/** Starts one that is gone when the test ends, whatever happens to the test. */
export async function started(
  t: Test,
  of: { binary: NginxBinary; port: number; prefix: string; configFile: string },
): Promise<RunningNginx> {
  const { binary, prefix, configFile, port } = of;
  const nginx = await startNginx({ binary, prefix, configFile, listener: { host: '127.0.0.1', port } });
  t.teardown(() => nginx.kill());
  return nginx;
}

export async function body(port: number): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
  return response.text();
}

export async function answers(port: number): Promise<boolean> {
  return body(port).then(
    () => true,
    () => false,
  );
}

/** Whether a process runs; one that ended and waits to be reaped does not. */
export async function runs(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
  return stat !== '' && stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) !== 'Z';
}

/** Tries for 10 s. */
export async function eventually(holds: () => Promise<boolean>): Promise<boolean> {
  for (let attempt = 0; attempt < 1_500; attempt++) {
    if (await holds()) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return false;
}
