import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { childEnvironment } from '../../test/kit/child-environment.ts';
import { startable } from '../../test/kit/program.ts';
import { until } from './conformance/patience.ts';
import { openMirror } from './fixtures/mirror.ts';

const ROUNDS = Number(process.env.EDGEWARD_RUNS ?? 12);
const SEED = Number(process.env.EDGEWARD_SEED ?? 42);

/** Numerical Recipes' generator: a failure can be had again by its seed. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

t.test('a follower killed at any moment begins again with one whole state, never below its floor', async (t) => {
  t.setTimeout(400_000 + ROUNDS * 5_000);
  t.comment(`EDGEWARD_SEED=${SEED} EDGEWARD_RUNS=${ROUNDS}`);
  const random = numbers(SEED);
  const mirror = await openMirror(t);
  const { folder, point, world } = mirror;
  const stateDir = await mkdtemp(join(tmpdir(), 'edgeward-feed-'));
  // A child that was just killed may still be writing.
  t.teardown(() => rm(stateDir, { recursive: true, force: true, maxRetries: 5 }));
  const floorPath = join(stateDir, point, 'floor.json');
  const revision = () => world.at(point).head.revision;
  let floor = 0;
  let kept = 0;

  for (let round = 0; round < ROUNDS; round += 1) {
    const args = [
      '--conditions=edgeward-source',
      startable(join(import.meta.dirname, 'fixtures', 'following-child.ts')),
    ];
    const child = spawn(process.execPath, [...args, stateDir, folder, point], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: childEnvironment(),
    });
    t.teardown(() => child.kill('SIGKILL'));
    const said: string[] = [];
    child.stdout.on('data', (text) => said.push(...String(text).trim().split('\n')));
    const closed = once(child, 'close');
    await until('it has begun', () => said.some((line) => line.startsWith('began')) || child.exitCode !== null);
    const began = numberIn(said, 'began');
    const restored = numberIn(said, 'restored');
    if (began < floor || began < kept || restored !== began)
      t.fail(`round ${round}: began with ${began}, restored ${restored}, floor ${floor}, kept ${kept}`);
    const steps = 1 + Math.floor(random() * 5);
    for (let step = 0; step < steps; step += 1) {
      await (random() < 0.3 ? mirror.decide() : mirror.change());
      await mirror.write(folder);
      if (random() < 0.5) await until('it is given', () => numberIn(said, 'given') >= revision());
    }
    await new Promise((resolve) => setTimeout(resolve, random() * 15));
    child.kill('SIGKILL');
    await closed;
    kept = Math.max(kept, numberIn(said, 'kept'));
    floor = await floorIn(floorPath);
    if (floor < kept) t.fail(`round ${round}: ${kept} was kept, and the floor is ${floor}`);
  }
  t.ok(kept > ROUNDS, `${kept} was kept, of ${revision()}`);
});

/** The greatest that was said so, or 0. */
function numberIn(said: readonly string[], word: string): number {
  return Math.max(0, ...said.flatMap((line) => (line.startsWith(`${word} `) ? [Number(line.split(' ')[1])] : [])));
}

async function floorIn(path: string): Promise<number> {
  const text = await readFile(path, 'utf8').catch(() => null);
  return text === null ? 0 : JSON.parse(text).memory.floor.revision;
}
