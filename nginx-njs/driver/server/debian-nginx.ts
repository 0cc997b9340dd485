/**
 * Debian's own NGINX, unpacked into a cache folder and run through its own dynamic linker, so that neither root nor a
 * matching C library is needed. The folder appears by one rename: two processes, or a crash, never leave half of it.
 */
import { access, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, systemCodeOf } from '@edgeward/runtime';
import { fetchError, fetchPackages, missingTool, suite } from './debian-packages.ts';
import type { NginxCandidate } from './nginx-binary.ts';
import { systemKind } from './system-kind.ts';

interface Architecture {
  readonly debian: string;
  readonly triplet: string;
  readonly linker: string;
}

const architectures: Record<string, Architecture> = {
  x64: { debian: 'amd64', triplet: 'x86_64-linux-gnu', linker: 'ld-linux-x86-64.so.2' },
  arm64: { debian: 'arm64', triplet: 'aarch64-linux-gnu', linker: 'ld-linux-aarch64.so.1' },
};

/** Names of folders that are being filled begin so; one that is older than this was left by a crash. */
const unfinished = '.nginx-fetch-';
const abandonedAfterMs = 3_600_000;

export type Fetched = { readonly state: 'done' } | { readonly state: 'unsupported'; readonly reason: string };

/** The unpacked NGINX in `cacheDir`, or null. Whether it runs is for the caller to ask. */
export async function unpackedNginx(cacheDir: string): Promise<NginxCandidate | null> {
  const architecture = architectures[process.arch];
  if (process.platform !== 'linux' || architecture === undefined) return null;
  const root = placeOf(cacheDir, architecture);
  const libraries = join(root, 'usr/lib', architecture.triplet);
  const linker = join(libraries, architecture.linker);
  const there = await access(linker).then(
    () => true,
    () => false,
  );
  if (!there) return null;
  return {
    command: [linker, '--library-path', libraries, join(root, 'usr/sbin/nginx')],
    modulesDir: join(root, 'usr/lib/nginx/modules'),
  };
}

/** Rejects with EDW_ERR_NGINX_FETCH. `fits` asks whether what is in the cache by now runs. */
export async function fetchDebianNginx(options: {
  cacheDir: string;
  onProgress: (message: string) => void;
  fits: () => Promise<boolean>;
}): Promise<Fetched> {
  const architecture = architectures[process.arch];
  const system = await systemKind();
  if (architecture === undefined) return { state: 'unsupported', reason: `no packages for ${process.arch}` };
  if (system.kind === 'other') return { state: 'unsupported', reason: `${system.name} is neither Debian nor Ubuntu` };
  const missing = await missingTool();
  if (missing !== null) throw fetchError(`fetching NGINX: ${missing.what} is missing`, missing.mend);

  const { cacheDir, onProgress } = options;
  const folder = await workFolder(cacheDir);
  try {
    await fetchPackages({ folder, architecture: architecture.debian, system, onProgress });
    await moveIntoPlace(join(folder, 'root'), placeOf(cacheDir, architecture), options.fits);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return { state: 'done' };
}

function placeOf(cacheDir: string, architecture: Architecture): string {
  return join(cacheDir, `nginx-${suite}-${architecture.debian}`);
}

async function workFolder(cacheDir: string): Promise<string> {
  try {
    await mkdir(cacheDir, { recursive: true });
    await removeAbandoned(cacheDir);
    return await mkdtemp(join(cacheDir, unfinished));
  } catch (error) {
    throw fetchError(
      `writing to the cache folder ${cacheDir}: ${messageOf(error)}`,
      'Name a folder that this user may write in EDGEWARD_CACHE.',
      error,
    );
  }
}

async function removeAbandoned(cacheDir: string): Promise<void> {
  for (const name of (await readdir(cacheDir)).filter((entry) => entry.startsWith(unfinished))) {
    const path = join(cacheDir, name);
    const changedMs = await stat(path).then(
      (found) => found.mtimeMs,
      () => Number.POSITIVE_INFINITY,
    );
    if (Date.now() - changedMs > abandonedAfterMs) await rm(path, { recursive: true, force: true });
  }
}

async function moveIntoPlace(from: string, place: string, fits: () => Promise<boolean>): Promise<void> {
  // Another process may have been quicker; what runs already is never replaced under its feet.
  if (await fits()) return;
  const broken = `${from}-broken`;
  await rename(place, broken).catch((error) => {
    if (systemCodeOf(error) !== 'ENOENT') throw error;
  });
  await rename(from, place).catch((error) => {
    if (systemCodeOf(error) !== 'ENOTEMPTY' && systemCodeOf(error) !== 'EEXIST') throw error;
  });
}
