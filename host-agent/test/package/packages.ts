/** Two versions of the package, and an archive, of one build: what dpkg does with an upgrade depends on nothing that is in them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildTree } from '../../package/agent-package.ts';
import { makeArchive } from '../../package/archive.ts';
import { makeDebianPackage } from '../../package/debian-package.ts';
import type { Teardown } from './containers.ts';

/** Of the older version. */
export const ARCHIVE = 'agent.tar.gz';

export interface TestPackages {
  /** Holds older.deb, newer.deb and the archive, and goes with the test. */
  folder: string;
}

export async function buildPackages(t: Teardown): Promise<TestPackages> {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-package-test-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const workDir = await mkdtemp(join(folder, 'work-'));
  const tree = await buildTree({ version: '1.0.0', workDir });
  const make = (version: string, name: string): Promise<void> =>
    makeDebianPackage({ tree, version, workDir, outFile: join(folder, `${name}.deb`), level: 1 });
  const archive = makeArchive({ tree, version: '1.0.0', workDir, outFile: join(folder, ARCHIVE) });
  await Promise.all([make('1.0.0', 'older'), make('1.0.1', 'newer'), archive]);
  return { folder };
}
