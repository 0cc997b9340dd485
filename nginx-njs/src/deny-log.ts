import type { AddressKey, Flow, Verdict } from '@edgeward/policy';
import { formatAddress } from '@edgeward/policy/dialect';
import fs from 'fs';

/**
 * Where denials go: one JSON line a denial in a file, and exact totals in a dictionary of numbers. The line is written
 * here and not by `access_log`, which a location, or a server's own log, silently replaces (a would-deny event would
 * be lost, or the user's log). One append of one line is atomic, and costs as much as an unbuffered access_log.
 */
const PATH_LIMIT = 1024;

export interface Denial {
  observed: boolean;
  peer: AddressKey | null;
  /** Address that was judged, as text. */
  source: string | null;
}

/** Exact, whatever happens to the log: totals by object and reason. */
export function count(bind: string, verdict: Verdict, observed: boolean): void {
  const word = verdict.verdict === 'allow' ? 'allow' : observed ? 'would-deny' : 'deny';
  add(`${bind}\t${word}\t${verdict.reason}`);
}

/** Writes the deny event and returns its reference: 64 bits of NGINX's own random request id. */
export function recordDenial(r: NginxHTTPRequest, flow: Flow, verdict: Verdict, denial: Denial): string {
  const variables = r.variables;
  const ref = (variables.request_id as string).slice(0, 16);
  // As it was judged: bytes that are no UTF-8 as escapes, an absolute target with its host. `why` judges it again.
  const path = pathOf(flow.path || variables.request_uri || '');
  const line = JSON.stringify({
    v: 1,
    t: Date.now(),
    ref,
    object: flow.to,
    source: denial.source,
    peer: denial.peer === null ? null : formatAddress(denial.peer),
    peerPort: Number(variables.remote_port),
    port: flow.port,
    method: r.method,
    path: path.slice(0, PATH_LIMIT),
    truncated: path.length > PATH_LIMIT,
    host: variables.http_host || null,
    verdict: denial.observed ? 'would-deny' : 'deny',
    reason: verdict.reason,
    rule: verdict.rule,
    revision: verdict.revision,
  });
  try {
    fs.appendFileSync(variables.edgeward_deny_log as string, `${line}\n`);
  } catch (problem) {
    // Traffic never waits for the audit path, and what is lost is counted.
    add(`${flow.to}\tlost\tlog-write`);
    r.error(`edgeward: the denial ${ref} could not be written: ${(problem as Error).message}`);
  }
  return ref;
}

/** A query may hold secrets and never decides anything. */
function pathOf(target: string): string {
  const question = target.indexOf('?');
  return question < 0 ? target : target.slice(0, question);
}

function add(key: string): void {
  try {
    (ngx.shared.edgeward_counts as NgxSharedDict<number>).incr(key, 1, 0);
  } catch (_full) {
    // A full zone of counters must not deny; the sum of what is there then lies below the ledger's, which shows.
  }
}
