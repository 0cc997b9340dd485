/** A ledger that is watched while it is used: what it failed at stays known until it does that again. */
import { type StatusError, statusError } from './collector-status.ts';
import type { Ledger } from './ledger/ledger.ts';

export interface ObservedLedger {
  ledger: Ledger;
  error(): StatusError | null;
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
    },
  };
}
