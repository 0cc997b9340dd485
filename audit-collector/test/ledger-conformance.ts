/**
 * What every ledger promises, as tests that any of them passes: `ledgerConformance(t, make)`. Nothing here knows what holds
 * the ledger; what is true of one kind alone is tested beside it.
 */
import type { Test } from 'tap';
import { eventConformance } from './ledger/event-conformance.ts';
import type { MakeLedger } from './ledger/fixtures.ts';
import { numberConformance } from './ledger/number-conformance.ts';
import { rollupConformance } from './ledger/rollup-conformance.ts';
import { searchConformance } from './ledger/search-conformance.ts';
import { settlementConformance } from './ledger/settlement-conformance.ts';
import { spoolConformance } from './ledger/spool-conformance.ts';
import { sumConformance } from './ledger/sum-conformance.ts';

export function ledgerConformance(t: Test, make: MakeLedger): void {
  eventConformance(t, make);
  numberConformance(t, make);
  spoolConformance(t, make);
  sumConformance(t, make);
  settlementConformance(t, make);
  rollupConformance(t, make);
  searchConformance(t, make);
}
