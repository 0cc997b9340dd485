/**
 * Breaks policy/src/decide.ts and policy/src/interval-table.ts in one place at a time, in a copy, and runs
 * policy/test/mutant-probe.ts on each: a mutant that the probe passes has survived, so a claim is missing. The checkout
 * is never written to. Only operators, literals and verdicts are changed; the rest is left to readers and to the oracle.
 *
 *   node scripts/mutants.ts                       every mutant
 *   node scripts/mutants.ts --sample 12 --seed 7  twelve of them, the same for the same seed
 *
 * Exit 0: all killed, or listed below as equivalent. 1: some survived. 2: usage.
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { EQUIVALENT } from './mutants-equivalent.ts';
import { type Mutant, mutantsOf, sampled } from './mutations.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FILES = ['src/decide.ts', 'src/interval-table.ts'];
/** A mutant that loops for ever is killed by time: far longer than the probe takes without one. */
const PATIENCE = 12;
const LEAST_TIMEOUT_MS = 10_000;

interface Probe {
  file: string;
  timeoutMs: number;
}

interface Outcome {
  mutant: Mutant;
  fate: 'killed' | 'survived';
  by: string;
}

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

/** A copy of the folder that resolves its packages as the checkout does. */
function copyPolicy(): string {
  const home = mkdtempSync(join(tmpdir(), 'edgeward-mutants-'));
  for (const part of ['package.json', 'src', 'test', 'vectors']) {
    cpSync(join(ROOT, 'policy', part), join(home, 'policy', part), { recursive: true });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(home, 'node_modules'));
  return home;
}

function runProbe(home: string, probe: string, timeoutMs: number): Promise<{ passed: boolean; said: string }> {
  return new Promise((resolve) => {
    // A mutant may also fill the memory without end.
    const args = ['--conditions=edgeward-source', '--max-old-space-size=256', join(home, 'policy', probe)];
    const child = spawn(process.execPath, args, { cwd: home, stdio: ['ignore', 'pipe', 'ignore'] });
    let said = '';
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const silent = code === 0 ? '' : signal === null ? 'crashed' : 'ran too long';
      resolve({ passed: code === 0, said: said.split('\n')[0] || silent });
    });
  });
}

async function judge(home: string, probe: Probe, mutant: Mutant, source: string): Promise<Outcome> {
  const file = join(home, 'policy', mutant.file);
  writeFileSync(file, source.slice(0, mutant.at) + mutant.to + source.slice(mutant.at + mutant.from.length));
  const { passed, said } = await runProbe(home, probe.file, probe.timeoutMs);
  writeFileSync(file, source);
  return { mutant, fate: passed ? 'survived' : 'killed', by: said };
}

/** As many at a time as there are copies; outcomes in the order of the mutants. */
async function judgeAll(homes: string[], probe: Probe, mutants: Mutant[], sources: Map<string, string>) {
  const outcomes: Outcome[] = [];
  let next = 0;
  const work = async (home: string): Promise<void> => {
    for (let at = next++; at < mutants.length; at = next++) {
      const mutant = mutants[at] as Mutant;
      outcomes[at] = await judge(home, probe, mutant, sources.get(mutant.file) as string);
      if (process.stderr.isTTY) process.stderr.write(`\r${at + 1} of ${mutants.length} `);
    }
  };
  await Promise.all(homes.map(work));
  return outcomes;
}

const keyOf = (it: { file: string; was: string; becomes: string }): string => `${it.file}\n${it.was}\n${it.becomes}`;

function report(outcomes: Outcome[], whole: boolean): number {
  const listed = new Map(EQUIVALENT.map((it) => [keyOf(it), it]));
  const survived = outcomes.filter(({ fate }) => fate === 'survived');
  const missed = survived.filter(({ mutant }) => !listed.has(keyOf(mutant)));
  missed.forEach(({ mutant }) => {
    say(`survived ${mutant.file}:${mutant.line}\n  - ${mutant.was}\n  + ${mutant.becomes}`);
  });
  // A line that was rewritten must not leave an excuse behind, nor may an excuse cover what a test does kill.
  const alive = new Set(survived.map(({ mutant }) => keyOf(mutant)));
  const stale = whole ? EQUIVALENT.filter((it) => !alive.has(keyOf(it))) : [];
  stale.forEach((it) => {
    say(`listed as equivalent, but killed or gone: ${it.file}\n  + ${it.becomes}`);
  });
  const killed = outcomes.length - survived.length;
  say(
    `${outcomes.length} mutants: ${killed} killed, ${survived.length - missed.length} equivalent, ${missed.length} survived`,
  );
  return missed.length + stale.length === 0 ? 0 : 1;
}

interface Options {
  sample: number | null;
  seed: number;
  probe: string;
  verbose: boolean;
}

/** What `parseArgs` gives its errors. */
const USAGE = 'ERR_PARSE_ARGS_';

function options(): Options {
  const { values } = parseArgs({
    options: {
      sample: { type: 'string' },
      seed: { type: 'string' },
      probe: { type: 'string', default: 'test/mutant-probe.ts' },
      verbose: { type: 'boolean', default: false },
    },
  });
  const sample = values.sample === undefined ? null : Number(values.sample);
  const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
  if ((sample !== null && !(Number.isInteger(sample) && sample > 0)) || !Number.isInteger(seed)) {
    throw Object.assign(new TypeError('--sample and --seed take whole numbers'), {
      code: `${USAGE}INVALID_OPTION_VALUE`,
    });
  }
  return { sample, seed, probe: values.probe, verbose: values.verbose };
}

async function main({ sample, seed, probe, verbose }: Options): Promise<number> {
  const sources = new Map(FILES.map((file) => [file, readFileSync(join(ROOT, 'policy', file), 'utf8')]));
  const every = FILES.flatMap((file) => mutantsOf(file, sources.get(file) as string));
  const mutants = sample === null ? every : sampled(every, sample, seed);
  if (sample !== null) say(`seed ${seed}: ${mutants.length} of ${every.length} mutants`);
  const homes = Array.from({ length: Math.min(2, availableParallelism()) }, copyPolicy);
  try {
    const started = performance.now();
    const { passed, said } = await runProbe(homes[0] as string, probe, LEAST_TIMEOUT_MS * PATIENCE);
    if (!passed) {
      say(`the probe fails without any mutant: ${said}`);
      return 1;
    }
    const timeoutMs = Math.max(LEAST_TIMEOUT_MS, (performance.now() - started) * PATIENCE);
    const outcomes = await judgeAll(homes, { file: probe, timeoutMs }, mutants, sources);
    for (const { mutant, fate, by } of verbose ? outcomes : []) {
      say(`${fate} ${mutant.file}:${mutant.line} ${mutant.becomes} | ${by}`);
    }
    return report(outcomes, sample === null);
  } finally {
    for (const home of homes) rmSync(home, { recursive: true, force: true });
  }
}

try {
  process.exitCode = await main(options());
} catch (problem) {
  if (!(problem instanceof Error && 'code' in problem && String(problem.code).startsWith(USAGE))) throw problem;
  process.stderr.write(`${problem.message}\n`);
  process.exitCode = 2;
}
