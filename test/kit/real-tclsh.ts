/** The tclsh that simulated BIG-IPs run their iRules in. */
import { findTclsh, type TclshCommand } from '@edgeward/debian-packages';

let found: Promise<TclshCommand> | null = null;

export function privateTclsh(): Promise<TclshCommand> {
  found ??= findTclsh();
  return found;
}

/** Where none can be had the whole test file is skipped with the reason, but never in CI. */
export async function requireTclsh(t: { plan(count: number, reason: string): unknown }): Promise<TclshCommand> {
  try {
    return await privateTclsh();
  } catch (error) {
    if (process.env.CI !== undefined) throw error;
    t.plan(0, error instanceof Error ? error.message : String(error));
    process.exit(0);
  }
}
