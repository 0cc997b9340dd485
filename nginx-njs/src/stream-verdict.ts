import type { AddressKey, Flow, Verdict } from '@edgeward/policy';
import { keyFromBytes } from '@edgeward/policy/dialect';
import type { DenyLog } from './deny-log.ts';
import { foldableOf, recordDenial } from './deny-log.ts';
import { foldZone } from './fold-zone.ts';
import { foldingOf } from './folding.ts';
import { FAILED, judge, sourceOf } from './judgement.ts';
import { LONGEST_NAME } from './request-target.ts';
import { count } from './totals.ts';
import type { Zone } from './zone-life.ts';

/**
 * The hook of a connection, or of a UDP session: `js_access` in a server of the stream module. It is asked before NGINX
 * reads a byte or connects to anybody. Passing is said last and in one word; whatever else happens closes the connection,
 * a handler that throws included.
 */
export function streamVerdict(s: NginxStreamRequest): void {
  // `decline` and not `allow`, which would take the server's own `deny` out of force.
  if (passes(s)) s.decline();
  else s.deny();
}

function passes(s: NginxStreamRequest): boolean {
  try {
    return judgeConnection(s);
  } catch (problem) {
    return failClosed(s, problem as Error);
  }
}

function judgeConnection(s: NginxStreamRequest): boolean {
  const flow = flowOf(s);
  const peer = keyFromBytes((s.rawVariables.binary_remote_addr as Buffer).toString('hex'));
  const lastKnown = (): string => s.variables.edgeward_last_known as string;
  const judged = judge(ngx.shared.edgeward_stream as Zone, lastKnown, peer, flow, {});
  count(countsOf(), flow.to, judged.verdict, judged.observed);
  if (judged.verdict.verdict === 'allow') return true;
  const source = sourceOf(judged.policy, peer, flow);
  record(s, flow, { verdict: judged.verdict, observed: judged.observed, peer, source });
  return judged.observed;
}

function failClosed(s: NginxStreamRequest, problem: Error): boolean {
  s.error(`edgeward: the verdict failed, and denies: ${problem.stack || problem.message}`);
  const flow = flowOf(s);
  count(countsOf(), flow.to, FAILED, false);
  record(s, flow, { verdict: FAILED, observed: false, peer: null, source: null });
  return false;
}

/** A connection has no method, path or host. `$edgeward_port` is the port that clients connect to. */
function flowOf(s: NginxStreamRequest): Flow {
  const variables = s.variables;
  const protocol = variables.protocol === 'UDP' ? 'udp' : 'tcp';
  const port = `${protocol}/${variables.edgeward_port || variables.server_port}`;
  const name = variables.edgeward_server || '';
  return { from: '', to: name.slice(0, LONGEST_NAME), port };
}

function record(
  s: NginxStreamRequest,
  flow: Flow,
  denied: { verdict: Verdict; observed: boolean; peer: AddressKey | null; source: string | null },
): void {
  const variables = s.variables;
  const log: DenyLog = {
    counts: countsOf(),
    file: variables.edgeward_deny_log as string,
    folding: foldingOf(
      foldZone('edgeward_stream_folds'),
      variables.edgeward_fold_after,
      variables.edgeward_fold_seconds,
    ),
    complain: (message) => s.error(message),
  };
  const verdict = denied.verdict;
  recordDenial(log, foldableOf(flow.to, flow.port, denied.source, verdict, denied.observed), () => ({
    ref: newRef(),
    peer: denied.peer,
    peerPort: Number(variables.remote_port),
    method: null,
    path: null,
    host: null,
  }));
}

/** 64 random bits. The stream module has no request id. */
function newRef(): string {
  const words = crypto.getRandomValues(new Uint32Array(2));
  return digits(words[0] as number) + digits(words[1] as number);
}

function digits(word: number): string {
  return `0000000${word.toString(16)}`.slice(-8);
}

function countsOf(): NgxSharedDict<number> {
  return ngx.shared.edgeward_stream_counts as NgxSharedDict<number>;
}
