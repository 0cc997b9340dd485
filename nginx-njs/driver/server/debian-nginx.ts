/**
 * Debian's own NGINX, unpacked into a cache folder and run through its own dynamic linker, so that neither root nor a
 * matching C library is needed.
 */
import { join } from 'node:path';
import { fetchPackages, keptTree, runThroughLoader, type UnpackedTree } from '@edgeward/debian-packages';
import type { NginxCandidate } from './nginx-binary.ts';

/** What is fetched of a suite of Debian, and the name under which it is kept: another list of packages takes another name. */
export const debianNginx: { readonly name: string; readonly packages: readonly string[] } = {
  name: 'nginx-http-stream',
  packages: ['nginx', 'libnginx-mod-http-js', 'libnginx-mod-stream', 'libnginx-mod-stream-js'],
};

/** The unpacked NGINX in `cacheDir`, or null. Whether it runs is for the caller to ask. */
export async function unpackedNginx(cacheDir: string): Promise<NginxCandidate | null> {
  const tree = await keptTree({ cacheDir, name: debianNginx.name });
  return tree === null ? null : candidateIn(tree);
}

/** Rejects as `fetchPackages` does. `fits` asks whether what is in the cache by now runs. */
export async function fetchDebianNginx(options: {
  cacheDir: string;
  onProgress: (message: string) => void;
  fits: (candidate: NginxCandidate) => Promise<boolean>;
}): Promise<NginxCandidate> {
  const tree = await fetchPackages({
    ...debianNginx,
    cacheDir: options.cacheDir,
    // Debian 13 is the first release with njs 0.8.
    title: 'NGINX 1.26 with njs 0.8.9 (Debian 13, 13 MB)',
    progress: options.onProgress,
    fits: (kept) => options.fits(candidateIn(kept)),
  });
  return candidateIn(tree);
}

function candidateIn(tree: UnpackedTree): NginxCandidate {
  return {
    command: runThroughLoader(tree, 'usr/sbin/nginx'),
    modulesDir: join(tree.root, 'usr/lib/nginx/modules'),
  };
}
