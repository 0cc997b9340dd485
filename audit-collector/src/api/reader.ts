import type { Ledger } from '../ledger/ledger.ts';

/** What of a ledger is asked over HTTP; a collector has it too. */
export type DenialReader = Pick<
  Ledger,
  'denials' | 'search' | 'byRef' | 'byId' | 'uncovered' | 'minutes' | 'hours' | 'edges'
>;
