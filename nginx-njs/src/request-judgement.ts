import type { AddressKey, Flow } from '@edgeward/policy';
import { judge } from './judgement.ts';
import { denyRequest } from './request-denial.ts';
import { flowOf } from './request-flow.ts';
import { count } from './totals.ts';
import type { ReadAlready } from './zone.ts';
import type { Zone } from './zone-life.ts';

/** The verdict of `decide` on a request, and whatever follows from it; `known` is what has been read of the zone already. */
export function judgeRequest(
  r: NginxHTTPRequest,
  target: Flow,
  peer: AddressKey | null,
  known: ReadAlready | null,
): string {
  let whole: Flow | null = null;
  const read = (): Flow => {
    if (whole === null) whole = flowOf(r, target);
    return whole;
  };
  const lastKnown = (): string => r.variables.edgeward_last_known as string;
  const judged = judge(ngx.shared.edgeward as Zone, lastKnown, peer, target, { read, known });
  count(ngx.shared.edgeward_counts as NgxSharedDict<number>, target.to, judged.verdict, judged.observed);
  return judged.verdict.verdict === 'allow' ? 'pass' : denyRequest(r, judged, target, peer, read);
}
