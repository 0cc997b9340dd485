/**
 * Packages unpacked into one folder, and how a program in it is run: through its own dynamic linker with its own
 * libraries, so that this machine's C library need not match. Looks, and changes nothing.
 */
import { access } from 'node:fs/promises';
import { join } from 'node:path';

/** The suite that everything is taken from: Debian 13. */
export const suite = 'trixie';

export interface UnpackedTree {
  /** The folder that stands for `/`. */
  readonly root: string;
  /** The dynamic linker of this tree. */
  readonly linker: string;
  /** Where the linker finds the libraries of this tree. */
  readonly libraries: string;
}

export interface Architecture {
  /** As Debian calls it. */
  readonly name: string;
  readonly triplet: string;
  readonly linker: string;
}

const architectures: Record<string, Architecture> = {
  x64: { name: 'amd64', triplet: 'x86_64-linux-gnu', linker: 'ld-linux-x86-64.so.2' },
  arm64: { name: 'arm64', triplet: 'aarch64-linux-gnu', linker: 'ld-linux-aarch64.so.1' },
};

/** Null where no packages are fetched for this machine. */
export function architectureHere(): Architecture | null {
  return process.platform === 'linux' ? (architectures[process.arch] ?? null) : null;
}

export function placeOf(cacheDir: string, name: string, architecture: Architecture): string {
  return join(cacheDir, `${name}-${suite}-${architecture.name}`);
}

/** What `fetchPackages` left under this name, or null. Whether it runs is for the caller to ask. */
export async function keptTree(of: { cacheDir: string; name: string }): Promise<UnpackedTree | null> {
  const architecture = architectureHere();
  if (architecture === null) return null;
  const root = placeOf(of.cacheDir, of.name, architecture);
  const libraries = join(root, 'usr/lib', architecture.triplet);
  const linker = join(libraries, architecture.linker);
  return access(linker).then(
    () => ({ root, linker, libraries }),
    () => null,
  );
}

/** The words that run `program`, a path inside the tree such as `usr/sbin/nginx`. It sees ld.so as its own executable. */
export function runThroughLoader(tree: UnpackedTree, program: string): string[] {
  return [tree.linker, '--library-path', tree.libraries, join(tree.root, program)];
}
