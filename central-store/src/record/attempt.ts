import type { RecordEntry } from './entry.ts';
import type { AttemptRecord } from './record.ts';

/** Who asks, as the door found out; nothing in a request says it. */
export interface Actor {
  /** A person, or `store`. */
  name: string;
  /** `certificate`, `local`, `store` */
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
  /** Whether it may be done. Writes nothing; an EdgewardError is a refusal. */
  check(): Promise<C> | C;
  /** What is done once the record says `allowed`. */
  effect(checked: C): Promise<R>;
  /** Fields that are known only after the check. */
  about?(checked: C): { target?: string; digest?: string; revision?: number };
}

/** Check, record, effect. What `check` or `effect` throws is on the record and thrown on. */
export function withRecord<C, R>(_record: AttemptRecord, _attempt: Attempt, _work: Work<C, R>): Promise<R> {
  throw new Error('not yet');
}

/** A dry run: the check alone, on the record as `dry-run`, with the code of a refusal where there was one. */
export function rehearse<C>(
  _record: AttemptRecord,
  _attempt: Attempt,
  _work: Pick<Work<C, unknown>, 'check' | 'about'>,
): Promise<C> {
  throw new Error('not yet');
}

/** Something that was refused before there was anything to check, such as an unreadable body. */
export function recordRefusal(_record: AttemptRecord, _attempt: Attempt, _thrown: unknown): Promise<RecordEntry> {
  throw new Error('not yet');
}
