/**
 * Downloads and unpacks packages of one suite of Debian, by apt's own client with lists, state and cache of its own. apt
 * checks the signatures against Debian's keyring; nothing unsigned is accepted, nothing is installed, and no hook of the
 * system's apt configuration runs.
 */
import { access, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { aptConfiguration, aptFolders } from './apt-configuration.ts';
import { debianMirrors } from './debian-mirrors.ts';
import { fetchError } from './fetch-errors.ts';
import { lastWords, runProgram } from './program-run.ts';
import type { SystemKind } from './system-kind.ts';
import { type Suite, usualSuite } from './unpacked-tree.ts';

export interface Download {
  /** A folder of its own, which the caller removes. */
  readonly folder: string;
  readonly architecture: string;
  readonly system: SystemKind;
  readonly title: string;
  readonly packages: readonly string[];
  readonly suite?: Suite;
  readonly progress?: (message: string) => void;
  readonly signal?: AbortSignal;
}

const keyrings = ['/usr/share/keyrings/debian-archive-keyring.gpg', '/usr/share/keyrings/debian-archive-keyring.pgp'];
const downloadTimeoutMs = 300_000;
const unpackTimeoutMs = 60_000;

/** What is missing to fetch packages, with its mend, or null. */
export async function missingTool(): Promise<{ what: string; mend: string } | null> {
  for (const tool of ['apt-get', 'dpkg-deb']) {
    const run = await runProgram(tool, ['--version'], { timeoutMs: 10_000 });
    if (run.code !== 0) return { what: tool, mend: `Install the program yourself, or use a system that has ${tool}.` };
  }
  if ((await keyring()) !== null) return null;
  return {
    what: "Debian's keyring",
    mend: 'Run `apt-get install debian-archive-keyring`, or install the program yourself.',
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

/** Leaves the unpacked system in `folder/root`. Rejects with EDW_ERR_PACKAGES_FETCH, or as `signal` says. */
export async function downloadPackages(of: Download): Promise<void> {
  const { folder, title, progress = () => {} } = of;
  const key = await keyring();
  for (const path of aptFolders(folder)) await mkdir(path, { recursive: true });
  await writeFile(join(folder, 'status'), '');
  await writeFile(join(folder, 'apt.conf'), await aptConfiguration(folder, of.architecture));

  const failures: string[] = [];
  for (const mirror of await debianMirrors(of.system)) {
    progress(`fetching ${title} from ${mirror}`);
    await writeFile(join(folder, 'sources.list'), `deb [signed-by=${key}] ${mirror} ${of.suite ?? usualSuite} main\n`);
    const failure = await download(of);
    of.signal?.throwIfAborted();
    if (failure === null) return unpack(of);
    failures.push(`${mirror}: ${failure}`);
  }
  throw fetchError(
    `fetching ${title} from Debian's packages: ${failures.join('; ')}`,
    "Check that this machine reaches the mirror; apt's own proxy settings are used.",
  );
}

/** Null when every package lies in the archive folder, else the reason. */
async function download({ folder, packages, signal }: Download): Promise<string | null> {
  const env = { APT_CONFIG: join(folder, 'apt.conf'), DEBIAN_FRONTEND: 'noninteractive' };
  const steps = [
    ['-q', 'update'],
    ['-q', '-y', '--no-install-recommends', '--download-only', 'install', ...packages],
  ];
  for (const step of steps) {
    const run = await runProgram('apt-get', step, { timeoutMs: downloadTimeoutMs, env, signal });
    if (run.code !== 0) return run.stderr.split('\n').find((line) => line.startsWith('E: ')) ?? lastWords(run);
  }
  return null;
}

async function unpack({ folder, signal, progress = () => {} }: Download): Promise<void> {
  const archives = join(folder, 'cache', 'archives');
  const files = (await readdir(archives)).filter((name) => name.endsWith('.deb'));
  progress(`unpacking ${files.length} packages`);
  for (const file of files) {
    const words = ['-x', join(archives, file), join(folder, 'root')];
    const run = await runProgram('dpkg-deb', words, { timeoutMs: unpackTimeoutMs, signal });
    signal?.throwIfAborted();
    if (run.code !== 0)
      throw fetchError(`unpacking ${file}: ${lastWords(run)}`, 'Check that the disk has 100 MB free, and try again.');
  }
}
