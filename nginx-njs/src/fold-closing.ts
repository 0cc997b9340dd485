import fs from 'fs';
import type { DenyLog } from './deny-log.ts';
import type { Fold, FoldZone } from './folding.ts';
import { foldNamed, namesOver, putBack, refOf, takeFolded } from './folding.ts';
import { lose } from './totals.ts';

/**
 * Writes what was folded in windows that are over: one line each, with its number. It is run every second, also where no
 * request comes any more. Several may run at once: each count is taken out of the dictionary by one of them. What can't be
 * written goes back and waits. A worker that is killed between the two takes one count along, which is in the totals and in
 * no line: a gap.
 */

/** The log of one transport, and what was folded there. */
export interface FoldedLog extends Pick<DenyLog, 'counts' | 'file' | 'complain'> {
  folds: FoldZone;
  /** Whether denials are of requests. */
  isHttp: boolean;
}

/** Names in one run, or a sixth of all: meanwhile this worker answers nobody. */
const LEAST_A_RUN = 200;

export function closeFolds(log: FoldedLog, nowMs: number): void {
  const names = namesOver(log.folds, nowMs);
  const most = Math.min(names.length, Math.max(LEAST_A_RUN, Math.ceil(names.length / 6)));
  for (let i = 0; i < most; i += 1) {
    const name = names[i] as string;
    const count = takeFolded(log.folds, name);
    if (count > 0 && !write(log, name, count)) return;
  }
}

/** Each line by itself: of several nobody would know how many a full disk took. */
function write(log: FoldedLog, name: string, count: number): boolean {
  const fold = foldNamed(name);
  try {
    fs.appendFileSync(log.file, `${lineOf(fold, count, refOf(log.folds, name), log.isHttp)}\n`);
    return true;
  } catch (problem) {
    log.complain(`edgeward: folded denials could not be written, and wait: ${(problem as Error).message}`);
    wait(log, name, fold.object, count);
    return false;
  }
}

function wait(log: FoldedLog, name: string, bind: string, count: number): void {
  try {
    putBack(log.folds, name, count);
  } catch (_full) {
    lose(log.counts, bind, count);
  }
}

/** The window is all that is known of when they were: its begin, and its last millisecond. */
function lineOf(fold: Fold, count: number, ref: string, isHttp: boolean): string {
  return JSON.stringify({
    v: 1,
    t: fold.fromMs + fold.windowMs - 1,
    ref,
    object: fold.object,
    source: fold.source,
    peer: null,
    peerPort: null,
    port: fold.port,
    method: null,
    path: null,
    // Nobody knows what was asked for, so nobody can say how it would be judged now.
    truncated: isHttp,
    host: null,
    verdict: fold.verdict,
    reason: fold.reason,
    rule: fold.rule,
    revision: fold.revision,
    count,
    firstMs: fold.fromMs,
  });
}
