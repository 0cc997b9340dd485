/** The images of a stack: ours from docker/Dockerfile, and the stand-in of PostgreSQL, which is made once and kept in the cache. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { defaultCacheDir, findPrometheus, keptTree } from '@edgeward/debian-packages';
import { docker, root } from './docker-here.ts';

const buildTimeoutMs = 300_000;

/** By their target in docker/Dockerfile, of what is built now: `edgeward` is `edgeward:local`, others `edgeward-TARGET:local`. */
export async function buildOwn(...targets: ('edgeward' | 'nginx' | 'bigip' | 'host')[]): Promise<void> {
  if (!existsSync(join(root, 'cli/dist/main.js')))
    throw new Error('there is nothing to make images of: run `npm run build`');
  for (const target of targets) {
    const tag = target === 'edgeward' ? 'edgeward:local' : `edgeward-${target}:local`;
    await build(['--file', 'docker/Dockerfile', '--target', target, '--tag', tag, '.']);
  }
}

/** Its name. */
export async function standInPostgres(): Promise<string> {
  const folder = join(root, 'test/compose/stand-ins');
  const recipe = createHash('sha256');
  for (const file of ['Dockerfile', 'postgres-entrypoint.sh']) recipe.update(readFileSync(join(folder, file)));
  const digest = recipe.digest('hex').slice(0, 12);
  const name = `edgeward-stand-in-postgres:${digest}`;
  if (await isThere(name)) return name;
  const kept = join(defaultCacheDir(), `stand-in-postgres-${process.arch}-${digest}.tar`);
  if (existsSync(kept)) {
    await docker(['load', '--quiet', '--input', kept]);
    return name;
  }
  await build(['--tag', name, folder]);
  await mkdir(defaultCacheDir(), { recursive: true });
  await docker(['save', '--output', `${kept}.${process.pid}`, name]);
  await rename(`${kept}.${process.pid}`, kept);
  return name;
}

/** Debian's, as words that run it where its folder is mounted as /opt/prometheus. */
export async function standInPrometheus(): Promise<{ PROMETHEUS: string; PROMETHEUS_FOLDER: string }> {
  const { prometheus } = await findPrometheus();
  const tree = await keptTree({ cacheDir: defaultCacheDir(), name: 'prometheus' });
  const isUnpacked = tree !== null && prometheus.some((word) => word.startsWith(tree.root));
  const folder = isUnpacked ? tree.root : dirname(prometheus[0] ?? '');
  const words = prometheus.map((word) => word.replace(folder, '/opt/prometheus'));
  return { PROMETHEUS: words.join(' '), PROMETHEUS_FOLDER: folder };
}

/** The host's network reaches the mirror that the host reaches. */
async function build(words: readonly string[]): Promise<void> {
  await docker(['build', '--quiet', '--force-rm', '--network', 'host', ...words], buildTimeoutMs);
}

function isThere(name: string): Promise<boolean> {
  return docker(['image', 'inspect', '--format', '{{.Id}}', name]).then(
    () => true,
    () => false,
  );
}
