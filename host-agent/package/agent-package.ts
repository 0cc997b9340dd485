/** All that is built of the agent, in one folder: the executable, the Debian package, the archive. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeArchive } from './archive.ts';
import { bundleProgram, licenceTexts } from './bundle.ts';
import { debianArchitecture, makeDebianPackage } from './debian-package.ts';
import { makeExecutable, pinnedNode } from './executable.ts';
import { layTree, PACKAGE_NAME } from './tree.ts';

const ENTRY = fileURLToPath(new URL('../../cli/src/agent/main.ts', import.meta.url));

/** The tree, which packages of any version can be made of. */
export async function buildTree({ version, workDir }: { version: string; workDir: string }): Promise<string> {
  const [script, executable] = [join(workDir, 'edgeward.cjs'), join(workDir, 'edgeward')];
  const node = await pinnedNode();
  const bundle = await bundleProgram({ entry: ENTRY, version, outFile: script });
  await makeExecutable({ node, script, workDir, outFile: executable });
  const folder = join(workDir, 'tree');
  await layTree({ executable, licences: await licenceTexts(bundle, node), folder });
  return folder;
}

/** Names of the files that it made. */
export async function packageAgent({ version, outDir }: { version: string; outDir: string }): Promise<string[]> {
  const workDir = await mkdtemp(join(tmpdir(), 'edgeward-package-'));
  try {
    const tree = await buildTree({ version, workDir });
    await mkdir(outDir, { recursive: true });
    const debian = join(outDir, `${PACKAGE_NAME}_${version}_${debianArchitecture()}.deb`);
    const archive = join(outDir, `${PACKAGE_NAME}_${version}_linux-${process.arch}.tar.gz`);
    await makeDebianPackage({ tree, version, workDir, outFile: debian, level: 15 });
    await makeArchive({ tree, version, workDir, outFile: archive });
    return [debian, archive];
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}
