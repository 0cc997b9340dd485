/**
 * What this point saw of the record of attempts: every head carries its last checkpoint. A record that was rewritten
 * contradicts what was seen here before, and that is remembered for ever: it does not become true again. A record that was
 * rewritten and is longer than before contradicts nothing by itself; so earlier checkpoints are kept too, for whoever
 * compares them with the record (`edgeward store verify --witness`).
 */
import type { Checkpoint } from '@edgeward/policy-format';

export interface Witness {
  /** Of the head that carried it. Another epoch is a record that people began anew. */
  epoch: number;
  /** Of the greatest size. */
  checkpoint: Checkpoint;
  /** Smaller ones, oldest first: at most one an hour, and further apart the older they are. */
  earlier: Earlier[];
  contradicted: { at: string; seen: Checkpoint; shown: Checkpoint } | null;
}

interface Earlier extends Checkpoint {
  at: string;
}

const APART_MS = 3_600_000;
const MOST_EARLIER = 48;

/** What is remembered after a verified head has shown this checkpoint; the same object when nothing changed. */
export function witnessed(before: Witness | null, epoch: number, shown: Checkpoint, nowMs: number): Witness {
  if (before === null || epoch > before.epoch)
    return { epoch, checkpoint: shown, earlier: [], contradicted: before?.contradicted ?? null };
  const { checkpoint: seen } = before;
  if (shown.size === seen.size && shown.hash === seen.hash) return before;
  if (shown.size > seen.size) return { ...before, checkpoint: shown, earlier: withEarlier(before, nowMs) };
  if (before.contradicted !== null) return before;
  return { ...before, contradicted: { at: new Date(nowMs).toISOString(), seen, shown } };
}

/** By this machine's clock: whoever signs many heads does not crowd out what was seen before. */
function withEarlier({ earlier, checkpoint }: Witness, nowMs: number): Earlier[] {
  const last = earlier.at(-1);
  if (last !== undefined && nowMs < Date.parse(last.at) + APART_MS) return earlier;
  const all = [...earlier, { at: new Date(nowMs).toISOString(), ...checkpoint }];
  if (all.length <= MOST_EARLIER) return all;
  // Every other one of the older half goes, and the oldest stays.
  return all.filter((_, at) => at >= MOST_EARLIER / 2 || at % 2 === 0);
}
