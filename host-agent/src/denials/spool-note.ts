/**
 * What the spool keeps with its records, so that after a kill each denial is accounted for once: the counters, the samples and
 * the totals of exactly those records. Pure.
 */
import { type Accounts, newAccounts } from './accounts.ts';
import type { Baseline } from './counter-baseline.ts';
import type { Places } from './sample-file.ts';

export interface SpoolNote {
  v: 1;
  /** The kernel's id of this boot: its counters begin anew with it. */
  boot: string;
  baseline: Baseline;
  places: Places | null;
  accounts: Accounts;
}

export function noteOf(text: string | null, boot: string, nowMs: number): SpoolNote {
  const known = text === null ? null : (JSON.parse(text) as SpoolNote);
  if (known === null || known.v !== 1) return { v: 1, boot, baseline: {}, places: null, accounts: newAccounts(nowMs) };
  if (known.boot === boot) return known;
  // Packets between the last look and the end of that boot are known to nobody.
  return { ...known, boot, baseline: {} };
}
