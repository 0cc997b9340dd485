/**
 * The Debian package: the tree, what dpkg asks for beside it, and scripts that never touch a packet filter. Made by `dpkg-deb`,
 * compressed by zstd, which Debian 12's dpkg reads.
 */
import { createHash } from 'node:crypto';
import { chmod, copyFile, cp, lstat, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './program-run.ts';
import { CONFIGURATION, PACKAGE_NAME } from './tree.ts';

const ARCHITECTURES: Partial<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };
const SCRIPTS = ['postinst', 'prerm', 'postrm'];

/** As the pinned Node was linked. */
const NODE_NEEDS = ['libc6 (>= 2.28)', 'libgcc-s1', 'libstdc++6 (>= 5)'];
/** `nft monitor` tells who changed rules, `conntrack` cuts connections where marks are taken by others. */
const AGENT_NEEDS = ['conntrack', 'ipset', 'iptables', 'nftables', 'systemd'];

export function debianArchitecture(): string {
  const found = ARCHITECTURES[process.arch];
  if (found === undefined) throw new Error(`packaging for ${process.arch}: only x64 and arm64 have a pinned Node`);
  return found;
}

export interface DebianPackageRequest {
  tree: string;
  version: string;
  /** For what is made on the way. */
  workDir: string;
  outFile: string;
  /** Of zstd, 1 to 19. */
  level: number;
}

export async function makeDebianPackage({
  tree,
  version,
  workDir,
  outFile,
  level,
}: DebianPackageRequest): Promise<void> {
  const folder = join(workDir, `debian-${version}`);
  await cp(tree, folder, { recursive: true });
  const control = join(folder, 'DEBIAN');
  const files = await filesIn(tree);
  await mkdir(control, { mode: 0o755 });
  await writeFile(join(control, 'control'), controlText(version, await sizeOf(tree, files)));
  await writeFile(join(control, 'conffiles'), CONFIGURATION.map((path) => `${path}\n`).join(''));
  await writeFile(join(control, 'md5sums'), (await Promise.all(files.map((file) => sumLine(tree, file)))).join(''));
  for (const name of ['control', 'conffiles', 'md5sums']) await chmod(join(control, name), 0o644);
  for (const name of SCRIPTS) {
    await copyFile(fileURLToPath(new URL(`maintainer/${name}`, import.meta.url)), join(control, name));
    await chmod(join(control, name), 0o755);
  }
  await run('dpkg-deb', ['--root-owner-group', '-Zzstd', `-z${level}`, '--build', folder, outFile]);
}

function controlText(version: string, size: number): string {
  return `Package: ${PACKAGE_NAME}
Version: ${version}
Architecture: ${debianArchitecture()}
Maintainer: Edgeward <maintainers@edgeward.example>
Installed-Size: ${size}
Pre-Depends: init-system-helpers (>= 1.54~)
Depends: ${[...NODE_NEEDS, ...AGENT_NEEDS].join(', ')}
Recommends: conntrack, ulogd2, ulogd2-json
Section: net
Priority: optional
Description: label policy in the packet filter of a host
 The agent pulls the policy of this host from Edgeward's sync service, keeps it in
 iptables and ipset, and tells the service what was denied. Whatever becomes of the
 agent or the service, the rules stay: only \`edgeward agent remove\` takes them away.
`;
}

/** Regular files, relative. */
async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1)).sort();
}

/** In KiB, as dpkg counts. */
async function sizeOf(folder: string, files: readonly string[]): Promise<number> {
  const sizes = await Promise.all(files.map(async (file) => (await lstat(join(folder, file))).size));
  return sizes.reduce((sum, size) => sum + Math.ceil(size / 1024), 0);
}

async function sumLine(folder: string, file: string): Promise<string> {
  const sum = createHash('md5').update(await readFile(join(folder, file)));
  return `${sum.digest('hex')}  ${file}\n`;
}
