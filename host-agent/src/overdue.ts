/**
 * What has to stand and could not be put: the last of it is tried again, with pauses that grow to a minute, until it stands or
 * something else does. Nothing that is asked of the service waits for that.
 */
import { backoff, type Clock, EdgewardError, type Logger, messageOf } from '@edgeward/runtime';

export interface Overdue {
  /** `work` itself comes back here when it fails again, and never rejects. */
  owe(doing: string, thrown: unknown, work: () => Promise<unknown>): void;
  /** Something stands: nothing is owed any more. */
  paid(): void;
  /** True where something is owed; it was tried. */
  settle(): Promise<boolean>;
  close(): void;
}

export interface OverdueOptions {
  clock: Clock;
  logger: Logger;
  /** Asked to call `settle`, when nothing else is under way. */
  whenDue: () => void;
  /** Something is owed that was not. */
  onFirst: () => void;
}

const LEAST_MS = 1_000;
const MAX_MS = 60_000;

export function createOverdue({ clock, logger, whenDue, onFirst }: OverdueOptions): Overdue {
  const pauses = backoff({ baseMs: LEAST_MS, maxMs: MAX_MS });
  let owed: (() => Promise<unknown>) | null = null;
  let cancel = (): void => {};

  return {
    owe(doing, thrown, work) {
      if (owed === null) onFirst();
      owed = work;
      const code = thrown instanceof EdgewardError ? thrown.code : 'EDW_ERR_INTERNAL';
      logger.error({ event: 'not_in_force', code, err: thrown }, `${doing}: ${messageOf(thrown)}`);
      // One at a time, whoever else asks for it to be settled meanwhile.
      cancel();
      cancel = clock.after(LEAST_MS + pauses.nextMs(), whenDue);
    },
    paid() {
      owed = null;
      cancel();
      pauses.reset();
    },
    async settle() {
      if (owed === null) return false;
      await owed();
      return true;
    },
    close: () => cancel(),
  };
}
