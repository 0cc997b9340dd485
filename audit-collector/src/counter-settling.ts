/**
 * Brings what points count themselves into the ledger, and closes their books: what was counted and has no line becomes a gap,
 * what is late takes it back, and what an NGINX had not told before it ended is added to what it counted. Whatever fails is
 * tried again with the next reading; no line waits for it.
 */
import { type Logger, messageOf } from '@edgeward/runtime';
import { type BookClosing, createBookClosing, type ToSettle } from './book-closing.ts';
import { accountedFor, type PointTold } from './denial-accounts.ts';
import type { EnforcedCount, Ledger } from './ledger/ledger.ts';
import { UNCOUNTED } from './ledger/settlements.ts';
import type { LedgerSums } from './ledger/sums.ts';

export interface CounterSettling {
  /** A reading of now; `waiting` of it are in no line yet. Rejects with EDW_ERR_LEDGER_… where it could not be stored. */
  read(point: string, counts: readonly EnforcedCount[], epoch: string | null, waiting: number): Promise<void>;
  /** Everything that the point had written by then is stored. */
  readUpTo(point: string, atMs: number): Promise<void>;
  /** Points of which denials wait, as they said last. */
  waiting(): PointTold[];
}

interface CounterSettlingOptions {
  ledger: Pick<Ledger, 'observeEnforced' | 'settle' | 'sums'>;
  told: () => readonly PointTold[];
  now: () => number;
  logger: Logger;
}

export function settleCounters({ ledger, told, now, logger }: CounterSettlingOptions): CounterSettling {
  const closings = new Map<string, BookClosing>();
  const underWay = new Set<string>();
  const waitingAt = new Set<string>();

  function of(point: string): BookClosing {
    const closing = closings.get(point) ?? createBookClosing();
    closings.set(point, closing);
    return closing;
  }

  async function settle(point: string, found: ToSettle | null): Promise<void> {
    if (found === null || underWay.has(point)) return;
    underWay.add(point);
    const from = settledIn(ledger.sums(), point);
    try {
      const done = await ledger.settle({ point, from, storedMs: now(), ...found });
      of(point).settled();
      tell(point, done);
    } catch (thrown) {
      logger.debug({ event: 'books_not_closed', point, cause: messageOf(thrown) }, 'tried again');
    } finally {
      underWay.delete(point);
    }
  }

  function tell(point: string, { unlogged, uncounted }: { unlogged: number; uncounted: number }): void {
    if (unlogged > 0) logger.warn({ event: 'denials_unlogged', point, count: unlogged }, 'counted, and in no line');
    if (unlogged < 0) logger.info({ event: 'denials_late', point, count: -unlogged }, 'no gap any more');
    if (uncounted > 0) logger.info({ event: 'denials_uncounted', point, count: uncounted }, 'in the log alone');
  }

  return {
    async read(point, counts, epoch, waiting) {
      const closing = of(point);
      const atMs = now();
      if (waiting > 0) waitingAt.add(point);
      else waitingAt.delete(point);
      await ledger.observeEnforced(point, counts, epoch, closing.closedMs());
      const sums = ledger.sums();
      const here = accountedFor(point, sums, told());
      await settle(point, closing.read({ epoch, counted: countedIn(sums, point), waiting, here, atMs }));
    },
    async readUpTo(point, readUpToMs) {
      const here = (): number => accountedFor(point, ledger.sums(), told());
      await settle(point, of(point).look({ here, readUpToMs, atMs: now() }));
    },
    waiting: () => [...waitingAt].map((point) => ({ point, isWaiting: true })),
  };
}

const countedIn = ({ enforced }: LedgerSums, point: string): number =>
  enforced.reduce((sum, total) => (total.point === point ? sum + total.count : sum), 0);

function settledIn({ uncovered, enforced }: LedgerSums, point: string): { unlogged: number; uncounted: number } {
  const unlogged = uncovered.find((total) => total.point === point && total.cause === 'unlogged');
  const uncounted = enforced.find((total) => total.point === point && total.reason === UNCOUNTED);
  return { unlogged: unlogged?.count ?? 0, uncounted: uncounted?.count ?? 0 };
}
