import type { AddressKey, Flow, Mode, PolicyView, Verdict } from '@edgeward/policy';
import { decideFor, formatAddress, judgedAddress, keyFromBytes } from '@edgeward/policy/dialect';
import { count, recordDenial } from './deny-log.ts';
import { flowOf, portOf } from './request-flow.ts';
import { openPolicy } from './zone.ts';

/**
 * The hook. `$edgeward_verdict` is `pass` or anything else, and the map in http.conf denies anything else: a handler
 * that throws leaves the variable empty, and an empty verdict must never let a request in.
 */
export function verdict(r: NginxHTTPRequest): string {
  try {
    return judge(r);
  } catch (problem) {
    return failClosed(r, problem as Error);
  }
}

function judge(r: NginxHTTPRequest): string {
  const flow = flowOf(r);
  const policy = openPolicy(ngx.shared.edgeward as NgxSharedDict<string>, r.variables.edgeward_last_known as string);
  const peer = keyFromBytes((r.rawVariables.binary_remote_addr as Buffer).toString('hex'));
  const verdict = decideFor(policy, peer, flow);
  const observed = verdict.verdict === 'deny' && modeOf(policy, flow.to) === 'observe';
  count(flow.to, verdict, observed);
  if (verdict.verdict === 'allow') return 'pass';
  const ref = recordDenial(r, flow, verdict, { observed, peer, source: sourceOf(policy, peer, flow) });
  return observed ? 'pass' : refuse(r, ref);
}

/** The reference is all that a denied client learns. */
function refuse(r: NginxHTTPRequest, ref: string): string {
  r.variables.edgeward_ref = ref;
  r.headersOut['Edgeward-Ref'] = ref;
  r.headersOut['Content-Type'] = 'text/plain';
  r.headersOut['Cache-Control'] = 'no-store';
  return 'deny';
}

function failClosed(r: NginxHTTPRequest, problem: Error): string {
  r.error(`edgeward: the verdict failed, and denies: ${problem.stack || problem.message}`);
  const verdict: Verdict = { verdict: 'deny', reason: 'internal-error', rule: null, revision: 0 };
  const flow: Flow = { from: '', to: r.variables.edgeward_server || '', port: portOf(r) };
  count(flow.to, verdict, false);
  return refuse(r, recordDenial(r, flow, verdict, { observed: false, peer: null, source: null }));
}

function modeOf(policy: PolicyView, bind: string): Mode | null {
  if (!policy.loaded) return policy.lastKnownMode(bind);
  const object = policy.object(bind);
  return object === null ? null : object.mode;
}

function sourceOf(policy: PolicyView, peer: AddressKey | null, flow: Flow): string | null {
  if (peer === null) return null;
  const object = policy.loaded ? policy.object(flow.to) : null;
  return formatAddress(object === null ? peer : judgedAddress(object, peer, flow));
}
