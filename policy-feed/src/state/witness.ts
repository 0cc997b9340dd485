/**
 * What this point saw of the record of attempts: every head carries its last checkpoint. A record that was rewritten
 * contradicts what was seen here before, and that is remembered for ever: it does not become true again.
 */
import type { Checkpoint } from '@edgeward/policy-format';

export interface Witness {
  /** Of the head that carried it. Another epoch is a record that people began anew. */
  epoch: number;
  /** Of the greatest size. */
  checkpoint: Checkpoint;
  contradicted: { at: string; seen: Checkpoint; shown: Checkpoint } | null;
}

/** What is remembered after a verified head has shown this checkpoint; the same object when nothing changed. */
export function witnessed(before: Witness | null, epoch: number, shown: Checkpoint, nowMs: number): Witness {
  if (before === null || epoch > before.epoch)
    return { epoch, checkpoint: shown, contradicted: before?.contradicted ?? null };
  const { checkpoint: seen } = before;
  if (shown.size === seen.size && shown.hash === seen.hash) return before;
  if (shown.size > seen.size) return { ...before, checkpoint: shown };
  if (before.contradicted !== null) return before;
  return { ...before, contradicted: { at: new Date(nowMs).toISOString(), seen, shown } };
}
