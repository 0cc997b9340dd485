/** For commands that give verdicts: a policy without errors, or the findings on stderr and nothing to judge by. */
import type { Context } from '../frame/command.ts';
import { counted, createPaint, wantsColour } from '../frame/terminal-text.ts';
import { findingsText } from './finding-text.ts';
import { type PolicyReading, readPolicy } from './policy-reading.ts';

/** null: the policy has errors and they have been printed; the command ends with 3. */
export async function readSoundPolicy(context: Context, directory: string): Promise<PolicyReading | null> {
  const reading = await readPolicy(context, directory);
  return (await isRefused(context, reading)) ? null : reading;
}

/** Whether a reading has errors; they have been printed then. */
export async function isRefused(context: Context, reading: PolicyReading): Promise<boolean> {
  if (reading.errors === 0) return false;
  const { err, json } = context;
  const { directory } = reading;
  const paint = createPaint(wantsColour(err.isTty, context.flag('no-color'), context.env));
  await err.write(findingsText(reading, paint));
  const code = 'EDW_ERR_POLICY_INVALID';
  const message = `the policy in ${directory} has ${counted(reading.errors, 'error')}`;
  const mend = `Mend what is listed; \`edgeward check ${directory}\` shows it again.`;
  if (json) await context.printJson({ error: { code, message, mend }, findings: reading.findings });
  else await err.write(`${paint.bad('error')} ${code}: ${message}\n  ${mend}\n`);
  return true;
}
