/** The tclsh that these tests run: the one on PATH, or one of Debian's packages, as users get it. */
import { findTclsh, type TclshCommand } from '@edgeward/debian-packages';

const found: TclshCommand | string = await findTclsh().catch((thrown: unknown) => {
  // In CI nothing is skipped.
  if (process.env.CI !== undefined) throw thrown;
  return thrown instanceof Error ? thrown.message : String(thrown);
});

/** For `t.test(name, { skip })`. */
export const skip: string | false = typeof found === 'string' ? found : false;

/** Where none could be had, what needs it is skipped. */
export const tclsh: TclshCommand = typeof found === 'string' ? { command: ['tclsh'], env: {} } : found;
