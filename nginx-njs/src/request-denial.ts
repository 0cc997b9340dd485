import type { AddressKey, Flow } from '@edgeward/policy';
import type { Denial, DenyLog } from './deny-log.ts';
import { foldZone, pathOf, recordDenial } from './deny-log.ts';
import { foldingOf } from './folding.ts';
import type { Judgement } from './judgement.ts';
import { FAILED, sourceOf } from './judgement.ts';
import { targetOf } from './request-target.ts';
import { count } from './totals.ts';

/**
 * What a request is told that is not let in, and what is written of it. A denial that is only observed is written too,
 * and passes.
 */
export function denyRequest(r: NginxHTTPRequest, flow: Flow, judged: Judgement, peer: AddressKey | null): string {
  const source = sourceOf(judged.policy, peer, flow);
  const ref = record(r, flow, { verdict: judged.verdict, observed: judged.observed, peer, source });
  return judged.observed ? 'pass' : refuse(r, ref);
}

/** The hook failed: nobody knows what the verdict would have been. */
export function failRequest(r: NginxHTTPRequest, problem: Error): string {
  r.error(`edgeward: the verdict failed, and denies: ${problem.stack || problem.message}`);
  const flow = targetOf(r);
  count(countsOf(), flow.to, FAILED, false);
  return refuse(r, record(r, flow, { verdict: FAILED, observed: false, peer: null, source: null }));
}

/** The reference is all that a denied client learns. */
export function refuse(r: NginxHTTPRequest, ref: string): string {
  r.variables.edgeward_ref = ref;
  r.headersOut['Edgeward-Ref'] = ref;
  r.headersOut['Content-Type'] = 'text/plain';
  r.headersOut['Cache-Control'] = 'no-store';
  return 'deny';
}

type Denied = Pick<Denial, 'verdict' | 'observed' | 'peer' | 'source'>;

/** Writes the deny event and returns its reference. */
function record(r: NginxHTTPRequest, flow: Flow, denied: Denied): string {
  const variables = r.variables;
  const log: DenyLog = {
    counts: countsOf(),
    file: variables.edgeward_deny_log as string,
    folding: foldingOf(foldZone('edgeward_folds'), variables.edgeward_fold_after, variables.edgeward_fold_seconds),
    complain: (message) => r.error(message),
  };
  return recordDenial(log, {
    ref: refOf(r),
    to: flow.to,
    port: flow.port,
    peerPort: Number(variables.remote_port),
    method: r.method as string,
    // As it was judged: bytes that are no UTF-8 as escapes, an absolute target with its host. `why` judges it again.
    path: pathOf(flow.path || variables.request_uri || ''),
    host: variables.http_host || null,
    verdict: denied.verdict,
    observed: denied.observed,
    peer: denied.peer,
    source: denied.source,
  });
}

/** 64 bits of NGINX's own random request id. */
export function refOf(r: NginxHTTPRequest): string {
  return (r.variables.request_id as string).slice(0, 16);
}

function countsOf(): NgxSharedDict<number> {
  return ngx.shared.edgeward_counts as NgxSharedDict<number>;
}
