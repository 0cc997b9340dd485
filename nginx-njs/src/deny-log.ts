import type { AddressKey, Verdict } from '@edgeward/policy';
import { formatAddress } from '@edgeward/policy/dialect';
import fs from 'fs';
import type { Foldable, Folding, FoldZone } from './folding.ts';
import { fold, foldUnwritten, refOf } from './folding.ts';
import { lose } from './totals.ts';

/**
 * Where denials go: one JSON line a denial in a file, and exact totals in a dictionary of numbers. The line is written
 * here and not by `access_log`, which a location, or a server's own log, silently replaces (a would-deny event would
 * be lost, or the user's log). One append of one line is atomic. A flood is told by its number: `folding`.
 */
const PATH_LIMIT = 1024;
/** Far longer than any host; with it no line is too long to be read. */
const HOST_LIMIT = 4096;

/** That of one transport. */
export interface DenyLog {
  counts: NgxSharedDict<number>;
  file: string;
  /** null: each denial is a line. */
  folding: Folding | null;
  /** Into NGINX's error log. */
  complain(message: string): void;
}

/** Of a request, or of a connection, which has neither method nor path nor host. */
export interface Denial {
  ref: string;
  /** Bind of the object, and the port of it that was judged. */
  to: string;
  port: string;
  peer: AddressKey | null;
  peerPort: number;
  /** Address that was judged, as text. */
  source: string | null;
  method: string | null;
  /** Without the query. */
  path: string | null;
  host: string | null;
  verdict: Verdict;
  observed: boolean;
}

/** Writes the deny event, or adds it to those that are told by their number. Returns the reference that leads to it. */
export function recordDenial(log: DenyLog, denial: Denial): string {
  const nowMs = Date.now();
  const folding = log.folding;
  const foldable = foldableOf(denial);
  const name = folding === null ? null : fold(folding, foldable, nowMs);
  if (folding !== null && name !== null) return refOf(folding.zone, name);
  try {
    fs.appendFileSync(log.file, `${lineOf(denial, nowMs)}\n`);
    return denial.ref;
  } catch (problem) {
    log.complain(`edgeward: the denial ${denial.ref} could not be written: ${(problem as Error).message}`);
    return foldOrLose(log, denial, nowMs);
  }
}

/** Traffic never waits for the audit path, and what is lost is counted. */
function foldOrLose(log: DenyLog, denial: Denial, nowMs: number): string {
  const folding = log.folding ?? null;
  try {
    if (folding !== null) return refOf(folding.zone, foldUnwritten(folding, foldableOf(denial), nowMs));
  } catch (_full) {
    // No room to wait in.
  }
  lose(log.counts, denial.to, 1);
  return denial.ref;
}

function foldableOf(denial: Denial): Foldable {
  return {
    object: denial.to,
    port: denial.port,
    source: denial.source,
    verdict: denial.observed ? 'would-deny' : 'deny',
    reason: denial.verdict.reason,
    rule: denial.verdict.rule,
    revision: denial.verdict.revision,
  };
}

function lineOf(denial: Denial, nowMs: number): string {
  const path = denial.path;
  return JSON.stringify({
    v: 1,
    t: nowMs,
    ref: denial.ref,
    object: denial.to,
    source: denial.source,
    peer: denial.peer === null ? null : formatAddress(denial.peer),
    peerPort: denial.peerPort,
    port: denial.port,
    method: denial.method,
    path: path === null ? null : path.slice(0, PATH_LIMIT),
    truncated: path !== null && path.length > PATH_LIMIT,
    host: denial.host === null ? null : denial.host.slice(0, HOST_LIMIT),
    verdict: denial.observed ? 'would-deny' : 'deny',
    reason: denial.verdict.reason,
    rule: denial.verdict.rule,
    revision: denial.verdict.revision,
  });
}

/** What is folded there; undefined: an http.conf of an earlier version has no such zone, and nothing is. */
export function foldZone(name: string): FoldZone | undefined {
  return ngx.shared[name] as NgxSharedDict<number> | undefined;
}

/** A query may hold secrets and never decides anything. */
export function pathOf(target: string): string {
  const question = target.indexOf('?');
  return question < 0 ? target : target.slice(0, question);
}
