/**
 * Downloads and unpacks NGINX with njs from Debian 13, by apt's own client with lists, state and cache of its own. apt
 * checks the signatures against Debian's keyring; nothing unsigned is accepted, nothing is installed, and no hook of the
 * system's apt configuration runs.
 */
import { access, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EdgewardError } from '@edgeward/runtime';
import { aptConfiguration, aptFolders } from './apt-configuration.ts';
import { debianMirrors } from './debian-mirrors.ts';
import { lastWords, runProgram } from './program-run.ts';
import type { SystemKind } from './system-kind.ts';

/** The first Debian release with njs 0.8 (0.8.9, with NGINX 1.26.3). */
export const suite = 'trixie';
const packages = ['nginx', 'libnginx-mod-http-js'];
const keyrings = ['/usr/share/keyrings/debian-archive-keyring.gpg', '/usr/share/keyrings/debian-archive-keyring.pgp'];
const downloadTimeoutMs = 300_000;
const unpackTimeoutMs = 60_000;

/** What is missing to fetch packages, with its mend, or null. */
export async function missingTool(): Promise<{ what: string; mend: string } | null> {
  for (const tool of ['apt-get', 'dpkg-deb']) {
    const run = await runProgram(tool, ['--version'], { timeoutMs: 10_000 });
    if (run.code !== 0)
      return {
        what: tool,
        mend: `Install nginx with njs 0.8 or newer yourself, or use a system that has ${tool}, or Docker.`,
      };
  }
  if ((await keyring()) !== null) return null;
  return {
    what: "Debian's keyring",
    mend: 'Run `apt-get install debian-archive-keyring`, or install nginx with njs 0.8 or newer.',
  };
}

async function keyring(): Promise<string | null> {
  for (const path of keyrings) {
    const there = await access(path).then(
      () => true,
      () => false,
    );
    if (there) return path;
  }
  return null;
}

/** Leaves the unpacked system in `folder/root`. Rejects with EDW_ERR_NGINX_FETCH. */
export async function fetchPackages(options: {
  folder: string;
  architecture: string;
  system: SystemKind;
  onProgress: (message: string) => void;
}): Promise<void> {
  const { folder, architecture, onProgress } = options;
  const key = await keyring();
  for (const path of aptFolders(folder)) await mkdir(path, { recursive: true });
  await writeFile(join(folder, 'status'), '');
  await writeFile(join(folder, 'apt.conf'), await aptConfiguration(folder, architecture));

  const failures: string[] = [];
  for (const mirror of await debianMirrors(options.system)) {
    onProgress(`fetching NGINX 1.26 with njs 0.8.9 from ${mirror} (Debian 13, 13 MB)`);
    await writeFile(join(folder, 'sources.list'), `deb [signed-by=${key}] ${mirror} ${suite} main\n`);
    const failure = await download(folder);
    if (failure === null) return unpack(folder, onProgress);
    failures.push(`${mirror}: ${failure}`);
  }
  throw fetchError(
    `fetching NGINX from Debian's packages: ${failures.join('; ')}`,
    "Check that this machine reaches the mirror (apt's own proxy settings are used), or install nginx with njs 0.8 or newer.",
  );
}

/** Null when every package lies in the archive folder, else the reason. */
async function download(folder: string): Promise<string | null> {
  const env = { APT_CONFIG: join(folder, 'apt.conf'), DEBIAN_FRONTEND: 'noninteractive' };
  const steps = [
    ['-q', 'update'],
    ['-q', '-y', '--no-install-recommends', '--download-only', 'install', ...packages],
  ];
  for (const step of steps) {
    const run = await runProgram('apt-get', step, { timeoutMs: downloadTimeoutMs, env });
    if (run.code !== 0) return run.stderr.split('\n').find((line) => line.startsWith('E: ')) ?? lastWords(run);
  }
  return null;
}

async function unpack(folder: string, onProgress: (message: string) => void): Promise<void> {
  const archives = join(folder, 'cache', 'archives');
  const files = (await readdir(archives)).filter((name) => name.endsWith('.deb'));
  onProgress(`unpacking ${files.length} packages`);
  for (const file of files) {
    const run = await runProgram('dpkg-deb', ['-x', join(archives, file), join(folder, 'root')], {
      timeoutMs: unpackTimeoutMs,
    });
    if (run.code !== 0)
      throw fetchError(`unpacking ${file}: ${lastWords(run)}`, 'Check that the disk has 100 MB free, and try again.');
  }
}

export function fetchError(message: string, mend: string, cause?: unknown): EdgewardError {
  return new EdgewardError('EDW_ERR_NGINX_FETCH', message, { mend, cause });
}
