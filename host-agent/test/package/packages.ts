/** Two versions of the package, of one build: what dpkg does with an upgrade depends on nothing that is in them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildTree } from '../../package/agent-package.ts';
import { makeDebianPackage } from '../../package/debian-package.ts';
import type { Teardown } from './containers.ts';

export interface TestPackages {
  /** Holds older.deb and newer.deb, and goes with the test. */
  folder: string;
}

export async function buildPackages(t: Teardown): Promise<TestPackages> {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-package-test-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const workDir = await mkdtemp(join(folder, 'work-'));
  const tree = await buildTree({ version: '1.0.0', workDir });
  for (const [version, name] of [
    ['1.0.0', 'older'],
    ['1.0.1', 'newer'],
  ] as const)
    await makeDebianPackage({ tree, version, workDir, outFile: join(folder, `${name}.deb`), level: 1 });
  return { folder };
}
