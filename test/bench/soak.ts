/**
 * The long proofs at full numbers: `npm run soak` runs every test file that takes EDGEWARD_RUNS with 20 times its usual
 * number, repeats those that kill and switch a fixed number of times, and tries all mutants. What came of it is written
 * into docs/benchmarks.md unless `--dry-run` says not to.
 *
 *   npm run soak -- --runs 5 --minutes 15
 *   npm run soak -- --only bigip --only syslog      # those whose name holds one of these; nothing is written
 *
 * Bounded in time: what has no time left is reported as not run. Exit 0 when everything ran and passed, 1 otherwise.
 */
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import { circumstances } from './machine.ts';
import { soakMarkdown, writePart } from './report.ts';
import { type Proof, proofs, root } from './soak-proofs.ts';

interface Outcome {
  proof: Proof;
  state: 'passed' | 'failed' | 'out of time';
  /** What it said of itself: its totals, or why it failed. */
  words: string;
  seconds: number;
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '20' },
      minutes: { type: 'string', default: '90' },
      'dry-run': { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: [] },
    },
  });
  const [runs, minutes] = [Number(values.runs), Number(values.minutes)];
  if (!(Number.isInteger(runs) && runs > 0 && minutes > 0)) {
    say('--runs takes a whole number, --minutes a number, both above 0');
    return 2;
  }
  const on = await circumstances(`npm run soak -- --runs ${runs} --minutes ${minutes}`);
  const all = await proofs(runs);
  const chosen = all.filter(({ name }) => values.only.length === 0 || values.only.some((part) => name.includes(part)));
  if (chosen.length === 0) {
    say(`no proof has ${values.only.join(' or ')} in its name; there are:\n${all.map(({ name }) => name).join('\n')}`);
    return 2;
  }
  const outcomes = await proveAll(chosen, performance.now() + minutes * 60_000);
  const table = { head: ['proof', 'result', 'said', 'seconds'], rows: outcomes.map(row) };
  if (!values['dry-run'] && chosen.length === all.length) await writePart('soak', soakMarkdown(table, on));
  for (const outcome of outcomes) process.stdout.write(`${row(outcome).join(' | ')}\n`);
  return outcomes.every(({ state }) => state === 'passed') ? 0 : 1;
}

async function proveAll(all: Proof[], deadlineMs: number): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const [at, proof] of all.entries()) {
    say(`${at + 1} of ${all.length}: ${proof.name}`);
    const outcome = await prove(proof, deadlineMs - performance.now());
    say(`  ${outcome.state}, ${outcome.seconds.toFixed(0)} s: ${outcome.words}`);
    outcomes.push(outcome);
  }
  return outcomes;
}

async function prove(proof: Proof, leftMs: number): Promise<Outcome> {
  if (leftMs <= 0) return { proof, state: 'out of time', words: 'not run', seconds: 0 };
  const from = performance.now();
  const { code, said, late } = await run(proof, leftMs);
  const seconds = (performance.now() - from) / 1000;
  if (late) return { proof, state: 'out of time', words: 'ended before it was done', seconds };
  if (code !== 0) say(said.slice(-4000));
  return { proof, state: code === 0 ? 'passed' : 'failed', words: proof.summary(said), seconds };
}

/** In a group of its own, so that what it started ends with it. */
function run({ command, env }: Proof, leftMs: number): Promise<{ code: number | null; said: string; late: boolean }> {
  return new Promise((resolve, reject) => {
    const [program = '', ...args] = command;
    const running = spawn(program, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let said = '';
    let late = false;
    const keep = (piece: Buffer): void => {
      // The end tells what came of it; a soak says a lot before.
      said = (said + piece.toString()).slice(-4_000_000);
    };
    running.stdout.on('data', keep);
    running.stderr.on('data', keep);
    const end = (): void => {
      late = true;
      if (running.pid !== undefined) process.kill(-running.pid, 'SIGTERM');
    };
    const timer = setTimeout(end, leftMs);
    process.once('SIGINT', end);
    running.once('error', reject);
    running.once('close', (code) => {
      clearTimeout(timer);
      process.off('SIGINT', end);
      resolve({ code, said, late });
    });
  });
}

function row({ proof, state, words, seconds }: Outcome): string[] {
  return [proof.name, state, words, seconds.toFixed(0)];
}

process.exitCode = await main();
