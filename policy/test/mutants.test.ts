/** A sample of the mutants at every run; `node scripts/mutants.ts` tries them all. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { seedOfRun } from './runs.ts';

const script = fileURLToPath(new URL('../../scripts/mutants.ts', import.meta.url));

const mutants = (...args: string[]): { status: number | null; said: string } => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' });
  return { status, said: stdout + stderr };
};

t.test('a sample of the mutants of decide and of the interval search is killed', async (t) => {
  const { status, said } = mutants('--sample', '12', '--seed', String(seedOfRun()));
  t.comment(said);
  t.equal(status, 0, 'none survived');
});

t.test('mutants that no claim looks at are reported as survivors', async (t) => {
  const { status, said } = mutants('--sample', '2', '--seed', '1', '--probe', 'test/claims/claim.ts');
  t.equal(status, 1);
  // Which two depends on what `decide` looks like; one of them may be excused.
  t.match(said, /2 mutants: 0 killed, (0 equivalent, 2|1 equivalent, 1) survived/);
});

t.test('a sample that is no number is refused', async (t) => {
  const { status, said } = mutants('--sample', 'all');
  t.equal(status, 2);
  t.match(said, 'whole numbers');
});
