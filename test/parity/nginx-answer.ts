/**
 * What should come of a flow, and what came: compared in one place, so that vectors and random flows ask the same of
 * every carrier.
 */
import type { CompiledPolicy, Flow, Verdict } from '@edgeward/policy';
import type { Judged } from './nginx-carriers.ts';

export interface Answer {
  passed: boolean;
  /** Null where there is no event. */
  event: { verdict: string; reason: string; rule: string | null; revision: number; object: string } | null;
}

/** `verdict` as the design says, of a policy that is in force as `revision`. */
export function wantedAnswer(
  policy: CompiledPolicy,
  flow: Flow,
  { verdict, reason, rule }: Omit<Verdict, 'revision'>,
  revision: number,
): Answer {
  const object = policy.objects.find(({ name }) => name === flow.to);
  const observed = object?.mode === 'observe';
  if (verdict === 'allow') return { passed: true, event: null };
  const word = observed ? 'would-deny' : 'deny';
  return { passed: observed, event: { verdict: word, reason, rule, revision, object: object?.bind ?? flow.to } };
}

export function answerOf({ passed, event }: Judged): Answer {
  if (event === null) return { passed, event };
  const { verdict, reason, rule, revision, object } = event;
  return { passed, event: { verdict, reason, rule, revision, object } };
}
