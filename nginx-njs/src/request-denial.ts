import type { AddressKey, Flow } from '@edgeward/policy';
import { foldableOf } from './deny-log.ts';
import type { Judgement } from './judgement.ts';
import { FAILED, sourceOf } from './judgement.ts';
import { recordRequest, refuse } from './request-refusal.ts';
import { targetOf } from './request-target.ts';
import { count } from './totals.ts';

/**
 * What a request is told that is not let in, and what is written of it. A denial that is only observed is written too,
 * and passes. `read` gives the whole flow, which a denial that is folded does without.
 */
export function denyRequest(
  r: NginxHTTPRequest,
  judged: Judgement,
  target: Flow,
  peer: AddressKey | null,
  read: () => Flow,
): string {
  const source = sourceOf(judged.policy, peer, target, read);
  const denial = foldableOf(target.to, target.port, source, judged.verdict, judged.observed);
  const ref = recordRequest(r, denial, peer, () => read().path);
  return judged.observed ? 'pass' : refuse(r, ref);
}

/** The hook failed: nobody knows what the verdict would have been, and the request is not read any more. */
export function failRequest(r: NginxHTTPRequest, problem: Error): string {
  r.error(`edgeward: the verdict failed, and denies: ${problem.stack || problem.message}`);
  const target = targetOf(r);
  count(ngx.shared.edgeward_counts as NgxSharedDict<number>, target.to, FAILED, false);
  const denial = foldableOf(target.to, target.port, null, FAILED, false);
  return refuse(
    r,
    recordRequest(r, denial, null, () => undefined),
  );
}
