/**
 * Packages unpacked into one folder, and how a program in it is run: through its own dynamic linker with its own
 * libraries, so that this machine's C library need not match. Looks, and changes nothing.
 */
import { access } from 'node:fs/promises';
import { join } from 'node:path';

/** Debian 12, 13 and what becomes 14. */
export type Suite = 'bookworm' | 'trixie' | 'forky';

/** What everything is taken from unless another suite is asked for: Debian 13. */
export const usualSuite: Suite = 'trixie';

export interface UnpackedTree {
  /** The folder that stands for `/`. */
  readonly root: string;
  /** The dynamic linker of this tree. */
  readonly linker: string;
  /** Where the linker finds the libraries of this tree: folders, with a colon between. */
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

export interface TreeName {
  readonly cacheDir: string;
  /** The folder in the cache begins with it; one word. */
  readonly name: string;
  /** Default: Debian 13. */
  readonly suite?: Suite;
}

export function placeOf(of: TreeName, architecture: Architecture): string {
  return join(of.cacheDir, `${of.name}-${of.suite ?? usualSuite}-${architecture.name}`);
}

/** What `fetchPackages` left under this name, or null. Whether it runs is for the caller to ask. */
export async function keptTree(of: TreeName): Promise<UnpackedTree | null> {
  const architecture = architectureHere();
  if (architecture === null) return null;
  const root = placeOf(of, architecture);
  // Debian 12 still packs some libraries for `/lib`, its linker among them.
  const folders = ['usr/lib', 'lib'].map((folder) => join(root, folder, architecture.triplet));
  for (const folder of folders) {
    const linker = join(folder, architecture.linker);
    const there = await access(linker).then(
      () => true,
      () => false,
    );
    if (there) return { root, linker, libraries: folders.join(':') };
  }
  return null;
}

/** The words that run `program`, a path inside the tree such as `usr/sbin/nginx`. It sees ld.so as its own executable. */
export function runThroughLoader(tree: UnpackedTree, program: string): string[] {
  return [tree.linker, '--library-path', tree.libraries, join(tree.root, program)];
}
