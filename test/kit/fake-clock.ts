/**
 * A clock of its own for a private NGINX, which a test sets while it runs: Debian's libfaketime, loaded before its libraries.
 * Timers go on by the clock that never steps, as they do where the machine's own clock is set.
 */
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultCacheDir, fetchPackages, keptTree, type UnpackedTree } from '@edgeward/debian-packages';

export interface FakeClock {
  /** How a program of `runThroughLoader` is run under it. */
  over(command: readonly string[]): string[];
  /** Main directives: NGINX takes away what its workers' environment would say. */
  readonly directives: string;
  /** So many seconds from the true time, for every process at once. */
  set(offsetSeconds: number): Promise<void>;
}

const place = { cacheDir: defaultCacheDir(), name: 'faketime' } as const;

const library = async (): Promise<UnpackedTree> =>
  (await keptTree(place)) ??
  (await fetchPackages({ ...place, title: 'libfaketime (Debian 13, 1 MB)', packages: ['libfaketime'] }));

/** Where it can't be had the whole test file is skipped with the reason, but never in CI. */
export async function requireFakeClock(t: { plan(count: number, reason: string): unknown }): Promise<void> {
  try {
    await library();
  } catch (error) {
    if (process.env.CI !== undefined) throw error;
    t.plan(0, error instanceof Error ? error.message : String(error));
    process.exit(0);
  }
}

export async function fakeClock(t: { teardown(run: () => Promise<void>): unknown }): Promise<FakeClock> {
  const tree = await library();
  const [folder = ''] = tree.libraries.split(':');
  const own = await mkdtemp(join(tmpdir(), 'edgeward-clock-'));
  t.teardown(() => rm(own, { recursive: true, force: true }));
  const file = join(own, 'offset');
  const set = async (offsetSeconds: number): Promise<void> => {
    await writeFile(`${file}.new`, `${offsetSeconds < 0 ? '' : '+'}${offsetSeconds}\n`);
    await rename(`${file}.new`, file);
  };
  await set(0);
  const environment: Record<string, string> = {
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    FAKETIME_DISABLE_SHM: '1',
    NO_FAKE_STAT: '1',
  };
  return {
    over: ([linker = '', ...words]) => [
      '/usr/bin/env',
      ...Object.entries(environment).map(([name, value]) => `${name}=${value}`),
      linker,
      '--preload',
      join(folder, 'faketime/libfaketime.so.1'),
      ...words,
    ],
    directives: Object.keys(environment)
      .map((name) => `env ${name};\n`)
      .join(''),
    set,
  };
}
