/**
 * A ledger that is watched while it is used: what it failed at stays known until it does that again. Where nobody is denied
 * nothing is asked of it, so it is looked at now and then.
 */
import { setTimeout } from 'node:timers/promises';
import { type StatusError, statusError } from './collector-status.ts';
import type { Ledger } from './ledger/ledger.ts';

export interface ObservedLedger {
  ledger: Ledger;
  error(): StatusError | null;
}

const lookMs = 10_000;

/** Until the signal. What a look finds is `error()` of the ledger. */
export async function lookAtLedger(
  ledger: Pick<Ledger, 'uncovered'>,
  signal: AbortSignal,
  everyMs: number = lookMs,
): Promise<void> {
  while (!signal.aborted) {
    // Of nobody: it costs nothing, and has to be answered all the same.
    await ledger.uncovered({ sinceMs: Number.MAX_SAFE_INTEGER, point: '' }).catch(() => {});
    await setTimeout(everyMs, null, { ref: false, signal }).catch(() => {});
  }
}

export function observedLedger(inner: Ledger): ObservedLedger {
  const errors = new Map<keyof Ledger, StatusError>();
  async function observed<Result>(what: keyof Ledger, asked: Promise<Result>): Promise<Result> {
    try {
      const result = await asked;
      errors.delete(what);
      return result;
    } catch (thrown) {
      errors.set(what, statusError(thrown));
      throw thrown;
    }
  }
  return {
    error: () => errors.values().next().value ?? null,
    ledger: {
      ...inner,
      // Not copied with the rest: it is another one after a standby server took over.
      get epoch() {
        return inner.epoch;
      },
      store: (batch) => observed('store', inner.store(batch)),
      storeNumbered: (batch) => observed('storeNumbered', inner.storeNumbered(batch)),
      storeSpooled: (batch) => observed('storeSpooled', inner.storeSpooled(batch)),
      observeEnforced: (...counts) => observed('observeEnforced', inner.observeEnforced(...counts)),
      settle: (settling) => observed('settle', inner.settle(settling)),
      denials: (query) => observed('denials', inner.denials(query)),
      uncovered: (query) => observed('uncovered', inner.uncovered(query)),
    },
  };
}
