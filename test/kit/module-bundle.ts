/**
 * Builds the NGINX module where it is missing or older than its sources, so that no test judges by yesterday's code.
 * One process at a time: a folder is the lock, because a bundle that is being written must not be copied.
 */
import { execFile } from 'node:child_process';
import { mkdir, readdir, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../../', import.meta.url));
const bundle = join(root, 'nginx-njs/dist/edgeward.js');
const lock = join(root, 'nginx-njs/dist/.building');
const sources = ['nginx-njs/src', 'policy/src'].map((folder) => join(root, folder));
const staleLockMs = 60_000;

export async function ensureBundle(): Promise<void> {
  for (let attempt = 0; attempt < 3_000; attempt += 1) {
    const locked = await modifiedAt(lock);
    if (locked === 0 && (await isCurrent())) return;
    if (locked > 0 && Date.now() - locked > staleLockMs) await rmdir(lock).catch(() => {});
    if (await take()) return build();
    await sleep(100);
  }
  throw new Error(`${bundle} is being built by another process that does not end; remove ${lock}`);
}

async function take(): Promise<boolean> {
  await mkdir(join(root, 'nginx-njs/dist'), { recursive: true });
  return mkdir(lock).then(
    () => true,
    () => false,
  );
}

async function build(): Promise<void> {
  try {
    if (await isCurrent()) return;
    await promisify(execFile)(process.execPath, [join(root, 'nginx-njs/build.ts')], { cwd: root, timeout: 60_000 });
  } finally {
    await rmdir(lock);
  }
}

async function isCurrent(): Promise<boolean> {
  const built = await modifiedAt(bundle);
  for (const folder of sources) {
    for (const name of await readdir(folder)) {
      if (name.endsWith('.ts') && (await modifiedAt(join(folder, name))) > built) return false;
    }
  }
  return built > 0;
}

/** 0 where there is no such file. */
async function modifiedAt(path: string): Promise<number> {
  return stat(path).then(
    (found) => found.mtimeMs,
    () => 0,
  );
}
