import { keyFromBytes } from '@edgeward/policy/dialect';
import { plainVerdict } from './plain-verdict.ts';
import { failRequest } from './request-denial.ts';
import { judgeRequest } from './request-judgement.ts';
import { proveRequest } from './request-proof.ts';
import { LONGEST_NAME, targetFrom } from './request-target.ts';
import { denyUnknown } from './request-unknown.ts';
import type { Zone } from './zone-life.ts';

/**
 * The hook of a request. `$edgeward_verdict` is `pass` or anything else, and the map in http.conf denies anything else:
 * a handler that throws leaves the variable empty, and an empty verdict must never let a request in. Here stands what
 * every request needs and no more (see build.ts).
 */
export function verdict(r: NginxHTTPRequest): string {
  try {
    const variables = r.variables;
    const asked = variables.http_edgeward_proof;
    const proven = asked === undefined ? null : proveRequest(r, asked);
    return proven === null ? judged(r, variables) : proven;
  } catch (problem) {
    return failRequest(r, problem as Error);
  }
}

function judged(r: NginxHTTPRequest, variables: NginxHTTPRequest['variables']): string {
  const shared = ngx.shared;
  const bind = variables.edgeward_server || '';
  const port = (variables.edgeward_port || variables.server_port) as string;
  const hex = (r.rawVariables.binary_remote_addr as Buffer).toString('hex');
  const peer = hex.length === 8 ? hex : keyFromBytes(hex);
  // A name that is longer than any can be is cut where it is judged.
  const plain =
    peer === null || bind.length > LONGEST_NAME ? null : plainVerdict(shared.edgeward as Zone, bind, port, peer);
  if (plain !== 'pass') {
    if (plain === null || !plain.isUnknown) return judgeRequest(r, targetFrom(bind, port), peer, plain);
    return denyUnknown(r, plain, port, hex.length === 8 ? (variables.remote_addr as string) : null);
  }
  try {
    (shared.edgeward_counts as NgxSharedDict<number>).incr(`${bind}\tallow\tallowed-by-rule`, 1, 0);
  } catch (_full) {
    // As in totals.ts.
  }
  return plain;
}
