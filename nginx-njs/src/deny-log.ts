import type { AddressKey, Verdict } from '@edgeward/policy';
import { writeDenial } from './deny-line.ts';
import type { Foldable, Folding } from './folding.ts';
import { fold, refOf } from './folding.ts';

/**
 * Where denials go: one JSON line a denial in a file, and exact totals in a dictionary of numbers. The line is written
 * here and not by `access_log`, which a location, or a server's own log, silently replaces (a would-deny event would
 * be lost, or the user's log). One append of one line is atomic. A flood is told by its number: `folding`.
 */

/** That of one transport. */
export interface DenyLog {
  counts: NgxSharedDict<number>;
  file: string;
  /** null: each denial is a line. */
  folding: Folding | null;
  /** Into NGINX's error log. */
  complain(message: string): void;
}

/** What only a denial that is written in full says: of a request, or of a connection, which has no method, path or host. */
export interface DenialDetails {
  ref: string;
  peer: AddressKey | null;
  peerPort: number;
  method: string | null;
  /** Without the query. */
  path: string | null;
  host: string | null;
}

/**
 * Writes the deny event, or adds it to those that are told by their number; details are read for a line alone. Returns the
 * reference that leads to it.
 */
export function recordDenial(log: DenyLog, denial: Foldable, details: () => DenialDetails): string {
  const nowMs = Date.now();
  const folding = log.folding;
  const name = folding === null ? null : fold(folding, denial, nowMs);
  if (folding !== null && name !== null) return refOf(folding.zone, name);
  return writeDenial(log, denial, details(), nowMs);
}

/** `to` and `port` are what was judged, `source` is the judged address as text. */
export function foldableOf(
  to: string,
  port: string,
  source: string | null,
  verdict: Verdict,
  observed: boolean,
): Foldable {
  return {
    object: to,
    port,
    source,
    verdict: observed ? 'would-deny' : 'deny',
    reason: verdict.reason,
    rule: verdict.rule,
    revision: verdict.revision,
  };
}
