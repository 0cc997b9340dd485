import type { Flow } from '@edgeward/policy';
import { keyFromBytes } from '@edgeward/policy/dialect';
import { judge } from './judgement.ts';
import { denyRequest, failRequest } from './request-denial.ts';
import { flowOf } from './request-flow.ts';
import { proveRequest } from './request-proof.ts';
import { targetOf } from './request-target.ts';
import { count } from './totals.ts';
import type { Zone } from './zone-life.ts';

/**
 * The hook of a request. `$edgeward_verdict` is `pass` or anything else, and the map in http.conf denies anything else:
 * a handler that throws leaves the variable empty, and an empty verdict must never let a request in. Here stands what
 * every request needs and no more (see build.ts).
 */
export function verdict(r: NginxHTTPRequest): string {
  try {
    const asked = r.variables.http_edgeward_proof;
    const proven = asked === undefined ? null : proveRequest(r, asked);
    return proven === null ? judgeRequest(r) : proven;
  } catch (problem) {
    return failRequest(r, problem as Error);
  }
}

function judgeRequest(r: NginxHTTPRequest): string {
  const target = targetOf(r);
  const peer = keyFromBytes((r.rawVariables.binary_remote_addr as Buffer).toString('hex'));
  let whole: Flow | null = null;
  const read = (): Flow => {
    if (whole === null) whole = flowOf(r, target);
    return whole;
  };
  const lastKnown = (): string => r.variables.edgeward_last_known as string;
  const judged = judge(ngx.shared.edgeward as Zone, lastKnown, peer, target, read);
  count(ngx.shared.edgeward_counts as NgxSharedDict<number>, target.to, judged.verdict, judged.observed);
  return judged.verdict.verdict === 'allow' ? 'pass' : denyRequest(r, read(), judged, peer);
}
