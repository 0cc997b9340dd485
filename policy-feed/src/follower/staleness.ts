import { type Head, isStale } from '@edgeward/policy-format';
import type { Clock } from '@edgeward/runtime';

/** Says once, for each head, that it has expired. A reason to say so, and never a reason to open or close. */
export interface StalenessWatch {
  note(head: Pick<Head, 'issuedAt' | 'expiresAt'>): void;
  end(): void;
}

/** Timers count in 31 bits. */
const LONGEST_MS = 2 ** 31 - 1;

export function watchStaleness(clock: Clock, onStale: (expiresAt: string) => void): StalenessWatch {
  let cancel: () => void = () => {};

  function wait(expiresAt: string): void {
    const leftMs = Date.parse(expiresAt) - clock.now();
    cancel =
      leftMs > LONGEST_MS
        ? clock.after(LONGEST_MS, () => wait(expiresAt))
        : clock.after(Math.max(0, leftMs), () => onStale(expiresAt));
  }

  return {
    note(head) {
      cancel();
      if (isStale(head, clock.now())) cancel = clock.after(0, () => onStale(head.expiresAt));
      else wait(head.expiresAt);
    },
    end: () => cancel(),
  };
}
