/**
 * One NGINX, asked all the time: who passes, and which revision is in force. Answers that came while one revision was in
 * force before and after are kept as the pattern of that revision. What must never be is a problem at once.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Edge } from '@edgeward/test/kit';
import { ask } from '../site.ts';
import { type Question, questions, revocable, strangers } from './estate.ts';

export interface Watch {
  readonly point: string;
  /** In force when it was last asked; 0 before the first. */
  revision(): number;
  /** What was seen in force under each revision; more than one is half a policy. */
  readonly patterns: ReadonlyMap<number, ReadonlySet<string>>;
  readonly problems: string[];
  readonly counts: { sweeps: number; answers: number; failures: number };
  stop(): Promise<void>;
}

interface Active {
  generation: string;
  revision: number;
  hash: string;
}

const PAUSE_MS = 200;

/** Begins when a policy is in force that lets everybody through who may. */
export function watchPoint(point: string, edge: Edge): Watch {
  const patterns = new Map<number, Set<string>>();
  const problems: string[] = [];
  const counts = { sweeps: 0, answers: 0, failures: 0 };
  const denied = new Set<string>();
  let revision = 0;
  let bootId: string | null = null;
  let isStopped = false;

  async function activeNow(): Promise<Active | null> {
    const { status, body } = await edge.push({ call: 'state' });
    if (status !== 200) throw new Error(`the state of ${point}: ${status}`);
    const state = body as { bootId: string; active: Active | null };
    bootId ??= state.bootId;
    if (state.bootId !== bootId) problems.push(`${point} began anew`);
    if (state.active === null) problems.push(`${point} has no policy`);
    else if (state.active.revision < revision) problems.push(`${point}: ${state.active.revision} after ${revision}`);
    else revision = state.active.revision;
    return state.active;
  }

  async function answerTo({ source, path }: Question): Promise<boolean> {
    const { status } = await ask(edge.port, source, path);
    if (status !== 200 && status !== 403) throw new Error(`${source} was answered ${status}`);
    counts.answers += 1;
    const passes = status === 200;
    if (passes && strangers.includes(source)) problems.push(`${point}: ${source} passed, whom nobody lets in`);
    if (passes && denied.has(source)) problems.push(`${point}: ${source} passed after it was revoked`);
    if (!passes && revocable.includes(source)) denied.add(source);
    return passes;
  }

  async function sweep(): Promise<void> {
    const before = await activeNow();
    const answers = await Promise.all(questions.map(answerTo));
    const after = await activeNow();
    counts.sweeps += 1;
    if (before === null || before.revision !== after?.revision) return;
    if (before.hash !== after.hash) problems.push(`${point}: revision ${after.revision} is two policies`);
    const seen = patterns.get(after.revision) ?? new Set();
    patterns.set(after.revision, seen.add(answers.map((passes) => (passes ? '1' : '0')).join('')));
  }

  async function run(): Promise<void> {
    while (!isStopped) {
      await sweep().catch(() => {
        counts.failures += 1;
      });
      await sleep(PAUSE_MS);
    }
  }

  const running = run();
  return {
    point,
    revision: () => revision,
    patterns,
    problems,
    counts,
    async stop() {
      isStopped = true;
      await running;
    },
  };
}
