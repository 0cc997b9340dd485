/**
 * The Docker of these tests: the one that answers, with Compose as its plugin, the installed one or Debian's package from the
 * cache. Without either the test file is skipped with the reason, but never in CI.
 */
import { execFile } from 'node:child_process';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { defaultCacheDir, fetchPackages } from '@edgeward/debian-packages';
import { systemCodeOf } from '@edgeward/runtime';

export const root: string = fileURLToPath(new URL('../../', import.meta.url));

const execute = promisify(execFile);
const plugin = 'usr/libexec/docker/cli-plugins/docker-compose';

interface Asked {
  plan(count: number, reason: string): unknown;
}

/** Standard output. Throws with what was said where it fails. */
export async function docker(args: readonly string[], timeoutMs = 60_000): Promise<string> {
  const bounds = { timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 1 << 26, cwd: root } as const;
  // The classic builder needs no plugin.
  const { stdout } = await execute('docker', [...args], { ...bounds, env: { ...process.env, DOCKER_BUILDKIT: '0' } });
  return stdout;
}

/** `docker compose` answers afterwards. */
export async function requireCompose(t: Asked): Promise<void> {
  await orSkip(t, async () => {
    if (await answers(['compose', 'version'])) return;
    const tree = await fetchPackages({
      cacheDir: defaultCacheDir(),
      name: 'docker-compose',
      title: 'Docker Compose (15 MB)',
      packages: ['docker-compose'],
    });
    // Beside the tree, and like it kept: a plugin is found by the folder of a configuration.
    const folder = `${tree.root}-config`;
    await mkdir(join(folder, 'cli-plugins'), { recursive: true });
    await symlink(join(tree.root, plugin), join(folder, 'cli-plugins/docker-compose')).catch(unlessThere);
    process.env.DOCKER_CONFIG = folder;
    await docker(['compose', 'version']);
  });
}

/** A daemon answers, too. */
export async function requireDocker(t: Asked): Promise<void> {
  await orSkip(t, async () => void (await docker(['version'])));
  await requireCompose(t);
}

async function orSkip(t: Asked, needed: () => Promise<void>): Promise<void> {
  try {
    await needed();
  } catch (thrown) {
    if (process.env.CI !== undefined) throw thrown;
    t.plan(
      0,
      `${thrown instanceof Error ? thrown.message.split('\n')[0] : thrown}; scripts/with-docker.sh brings a Docker`,
    );
    process.exit(0);
  }
}

function unlessThere(thrown: unknown): void {
  if (systemCodeOf(thrown) !== 'EEXIST') throw thrown;
}

function answers(args: readonly string[]): Promise<boolean> {
  return docker(args).then(
    () => true,
    () => false,
  );
}
