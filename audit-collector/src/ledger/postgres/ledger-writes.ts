/** What is stored, each within a transaction that holds the state of the ledger: all of it or nothing. */
import type {
  EnforcedCount,
  LogBatchToStore,
  NumberedBatch,
  NumberedResult,
  Retention,
  SpoolBatch,
  SpoolResult,
  StoredDenial,
} from '../ledger.ts';
import type { Settled, Settling } from '../settlements.ts';
import { byKind } from '../spool-records.ts';
import type { LedgerSums } from '../sums.ts';
import { dropDays } from './day-tables.ts';
import { enforcedTotals, observeCounters } from './enforced-counters.ts';
import { timeOf, withinYears } from './event-rows.ts';
import { eventWriter, type LedgerState } from './event-writer.ts';
import { moveCursor } from './log-cursors.ts';
import { sequenceTotals, takeFrom } from './number-sequences.ts';
import { deleteSome, pruneRollups } from './rollup-search.ts';
import type { Asking, Session } from './session.ts';
import { closedAt, settleBooks } from './settlement-rows.ts';
import { addUncovered, uncoveredSums } from './uncovered-denials.ts';

export interface LedgerWrites {
  store(batch: LogBatchToStore): Promise<StoredDenial[]>;
  storeNumbered(batch: NumberedBatch): Promise<NumberedResult>;
  storeSpooled(batch: SpoolBatch): Promise<SpoolResult>;
  observeEnforced(
    point: string,
    counts: readonly EnforcedCount[],
    epoch: string | null,
    closedMs?: number | null,
  ): Promise<void>;
  settle(settling: Settling): Promise<Settled>;
  prune(retention: Retention, maxRows: number): Promise<number>;
}

interface Written<Result> {
  result: Result;
  /** The rows that it changed, as they are since then. */
  sums: Partial<LedgerSums>;
}

/** `committed` is told what a commit changed. */
export function ledgerWrites(session: Session, committed: (sums: Partial<LedgerSums>) => void): LedgerWrites {
  const events = eventWriter();

  async function written<Result>(
    doing: string,
    run: (asking: Asking, state: LedgerState) => Promise<Written<Result>>,
  ): Promise<Result> {
    try {
      const { result, sums } = await session.inTransaction(doing, 'BEGIN', async (asking) =>
        run(asking, await heldState(asking)),
      );
      committed(sums);
      return result;
    } catch (thrown) {
      events.forget();
      throw thrown;
    }
  }

  return {
    store: (batch) =>
      written(`storing denials of ${batch.point}`, async (asking, state) => {
        for (const change of batch.cursors) await moveCursor(asking, batch, change);
        const { stored, sums } = await events.write(asking, batch, state);
        return { result: stored, sums };
      }),
    storeNumbered: (batch) =>
      written(`storing denials of ${batch.point}`, async (asking, state) => {
        const { point, denials, storedMs } = batch;
        const numbers = denials.map(({ number, event }) => ({ number, readable: event !== null }));
        const { accepted, ...taken } = await takeFrom(asking, 'tmm', point, numbers, storedMs);
        const accounted = denials.flatMap(({ event }, place) => (accepted[place] && event !== null ? [event] : []));
        const { stored, sums } = await events.write(asking, { ...batch, events: accounted, losses: [] }, state);
        const sequences = await sequenceTotals(asking, 'tmm', point);
        return { result: { ...taken, stored }, sums: { ...sums, sequences } };
      }),
    storeSpooled: (batch) =>
      written(`storing denials of ${batch.point}`, async (asking, state) => {
        const { point, epoch, storedMs, records } = batch;
        const numbers = records.map(({ seq }) => ({ number: { tmm: 0, epoch, seq, suppressed: 0 }, readable: true }));
        const { accepted, missing, late, repeated } = await takeFrom(asking, 'spool', point, numbers, storedMs);
        const { gaps, ...told } = byKind(records.filter((_, place) => accepted[place]));
        if (gaps.length > 0) await addUncovered(asking, point, gaps, storedMs);
        const { stored, sums } = await events.write(asking, { point, log: 'spool', storedMs, ...told }, state);
        const { unparsed, losses } = told;
        const uncovered = gaps.length > 0 ? await uncoveredSums(asking, point) : [];
        const spools = await sequenceTotals(asking, 'spool', point);
        const result = { missing, late, repeated, stored, uncovered: gaps, unparsed, losses };
        return { result, sums: { ...sums, spools, uncovered } };
      }),
    observeEnforced: (point, counts, epoch, closedMs = null) =>
      written(`storing the counters of ${point}`, async (asking) => {
        await observeCounters(asking, point, counts, epoch);
        if (closedMs !== null) await closedAt(asking, point, closedMs);
        return { result: undefined, sums: { enforced: await enforcedTotals(asking, point) } };
      }),
    settle: (settling) =>
      written(`closing the books of ${settling.point}`, async (asking) => {
        const result = await settleBooks(asking, settling);
        const [uncovered, enforced] = [
          await uncoveredSums(asking, settling.point),
          await enforcedTotals(asking, settling.point),
        ];
        return { result, sums: { uncovered, enforced } };
      }),
    prune: ({ eventsBeforeMs, rollupsBeforeMs }, maxRows) =>
      written('deleting old denials', async (asking) => {
        const before = withinYears(eventsBeforeMs) ?? 0;
        let deleted = await dropDays(asking, before, maxRows);
        for (const [table, time] of [
          ['gaps', 'seen_at'],
          ['uncovered', 'stored_at'],
          ['losses', 'stored_at'],
        ]) {
          const isOld = `${time} < ${timeOf('$1')}`;
          deleted += await deleteSome(asking, `${table}`, isOld, [before], maxRows - deleted);
        }
        deleted += await pruneRollups(asking, withinYears(rollupsBeforeMs) ?? 0, maxRows - deleted);
        // Whoever has something of it in memory looks again.
        if (deleted > 0)
          await asking.rows('UPDATE state SET terms = terms + 1, edges = (SELECT count(*) FROM seen_edges)');
        return { result: deleted, sums: {} };
      }),
  };
}

/** One writes at a time, so that ids grow in the order of commits; the next one waits for as long as the session may. */
async function heldState(asking: Asking): Promise<LedgerState> {
  const [state] = await asking.rows<LedgerState>('SELECT last_id AS "lastId", terms, edges FROM state FOR UPDATE');
  if (state === undefined) throw new Error('the row of edgeward_ledger.state is gone');
  return state;
}
