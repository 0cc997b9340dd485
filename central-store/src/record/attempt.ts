import { EdgewardError, messageOf } from '@edgeward/runtime';
import type { NewEntry, RecordEntry } from './entry.ts';
import type { AttemptRecord } from './record.ts';

/**
 * The order that makes the record worth reading: look, write down, do. Nothing here knows what is attempted.
 */

/** Who asks, as the door found out; nothing in a request says it. */
export interface Actor {
  /** A person, or `store`. */
  name: string;
  /** `certificate`, `nats`, `local`, `store` */
  by: string;
}

export interface Attempt {
  actor: Actor;
  action: string;
  target: string;
  digest?: string;
  /** The reason that the actor gives. */
  reason?: string;
  revision?: number;
}

export interface Work<C, R> {
  /** Whether it may be done. Writes nothing; what it throws is a refusal. */
  check(): Promise<C> | C;
  /** What is done once the record says `allowed`. */
  effect(checked: C): Promise<R>;
  /** Fields that are known only after the check. */
  about?(checked: C): { target?: string; digest?: string; revision?: number };
}

/** Check, record, effect. What `check` or `effect` throws is on the record and thrown on. */
export async function withRecord<C, R>(record: AttemptRecord, attempt: Attempt, work: Work<C, R>): Promise<R> {
  const checked = await checkedOrRefused(record, attempt, work, 'refused');
  const entry = { ...entryOf(attempt), ...work.about?.(checked) };
  await record.append({ ...entry, outcome: 'allowed' });
  try {
    return await work.effect(checked);
  } catch (thrown) {
    // The effect's own failure is what the caller has to hear of, also where the disk takes no entry either.
    await record.append({ ...entry, outcome: 'failed', ...failureOf(thrown) }).catch(() => {});
    throw thrown;
  }
}

/** A dry run: the check alone, on the record as `dry-run`, with the code of a refusal where there was one. */
export async function rehearse<C>(
  record: AttemptRecord,
  attempt: Attempt,
  work: Pick<Work<C, unknown>, 'check' | 'about'>,
): Promise<C> {
  const checked = await checkedOrRefused(record, attempt, work, 'dry-run');
  await record.append({ ...entryOf(attempt), ...work.about?.(checked), outcome: 'dry-run' });
  return checked;
}

/** Something that was refused before there was anything to check, such as an unreadable body. */
export function recordRefusal(record: AttemptRecord, attempt: Attempt, thrown: unknown): Promise<RecordEntry> {
  return record.append({ ...entryOf(attempt), outcome: 'refused', ...failureOf(thrown) });
}

async function checkedOrRefused<C>(
  record: AttemptRecord,
  attempt: Attempt,
  work: Pick<Work<C, unknown>, 'check'>,
  outcome: 'refused' | 'dry-run',
): Promise<C> {
  try {
    return await work.check();
  } catch (thrown) {
    await record.append({ ...entryOf(attempt), outcome, ...failureOf(thrown) });
    throw thrown;
  }
}

function entryOf(attempt: Attempt): Omit<NewEntry, 'outcome'> {
  const { actor, ...rest } = attempt;
  return { actor: actor.name, by: actor.by, ...rest };
}

function failureOf(thrown: unknown): { code: string; reason: string } {
  return { code: thrown instanceof EdgewardError ? thrown.code : 'EDW_ERR_INTERNAL', reason: messageOf(thrown) };
}
