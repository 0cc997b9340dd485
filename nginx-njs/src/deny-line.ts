import { formatAddress } from '@edgeward/policy/dialect';
import fs from 'fs';
import type { DenialDetails, DenyLog } from './deny-log.ts';
import type { Foldable } from './folding.ts';
import { foldUnwritten, refOf } from './folding.ts';
import { lose } from './totals.ts';

const PATH_LIMIT = 1024;
/** Far longer than any host; with it no line is too long to be read. */
const HOST_LIMIT = 4096;

/** One denial in full. Returns the reference that leads to it. */
export function writeDenial(log: DenyLog, denial: Foldable, details: DenialDetails, nowMs: number): string {
  try {
    fs.appendFileSync(log.file, `${lineOf(denial, details, nowMs)}\n`);
    return details.ref;
  } catch (problem) {
    log.complain(`edgeward: the denial ${details.ref} could not be written: ${(problem as Error).message}`);
    return foldOrLose(log, denial, nowMs) || details.ref;
  }
}

/** Traffic never waits for the audit path, and what is lost is counted: then there is no reference. */
function foldOrLose(log: DenyLog, denial: Foldable, nowMs: number): string {
  const folding = log.folding;
  try {
    if (folding !== null) return refOf(folding.zone, foldUnwritten(folding, denial, nowMs));
  } catch (_full) {
    // No room to wait in.
  }
  lose(log.counts, denial.object, 1);
  return '';
}

function lineOf(denial: Foldable, details: DenialDetails, nowMs: number): string {
  const path = details.path;
  return JSON.stringify({
    v: 1,
    t: nowMs,
    ref: details.ref,
    object: denial.object,
    source: denial.source,
    peer: details.peer === null ? null : formatAddress(details.peer),
    peerPort: details.peerPort,
    port: denial.port,
    method: details.method,
    path: path === null ? null : path.slice(0, PATH_LIMIT),
    truncated: path !== null && path.length > PATH_LIMIT,
    host: details.host === null ? null : details.host.slice(0, HOST_LIMIT),
    verdict: denial.verdict,
    reason: denial.reason,
    rule: denial.rule,
    revision: denial.revision,
  });
}
