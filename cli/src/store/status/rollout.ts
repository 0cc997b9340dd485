/** `edgeward store rollout`: what a person decides about a roll-out. */
import type { Command, Context } from '../../frame/command.ts';
import type { ExitCode } from '../../frame/exit-codes.ts';
import { usageError } from '../../frame/usage-error.ts';
import { dryRunOption, reasonOption, versionArgument } from '../change/change-options.ts';
import { openSession, storeExits, storeOptions, storeUsage } from '../store-session.ts';
import { rolloutText } from './rollout-text.ts';
import { rolloutOf } from './store-status.ts';

export const rollout: Command = {
  name: 'store rollout',
  summary: 'Halt, resume, confirm or return a roll-out.',
  help: {
    examples: [
      { line: 'edgeward store rollout halt --reason "orders fail in eu"', says: 'No further point gets the version.' },
      {
        line: 'edgeward store rollout return --reason "orders fail in eu"',
        says: 'Points go back to the version before.',
      },
      { line: 'edgeward store rollout confirm 12 --reason "looks good"', says: 'A first enforcement stays.' },
    ],
    usage: [`halt|resume|confirm|return [VERSION] --reason TEXT [--dry-run] ${storeUsage} [--json]`],
    about: [
      'A version reaches its points in waves. It halts by itself when a point refuses it or denies far more than in the last hour, and goes back as far as people approved a way back; a version that enforces something for the first time goes back when nobody confirms it in time.',
      'With VERSION only while that one is rolled out, so that nobody decides about another one than they looked at.',
      'JSON: `rollout` of the status, as it is then.',
    ],
    exits: { ...storeExits, 3: 'not in this state of the roll-out, or not yours to decide' },
  },
  args: ['ACTION', '[VERSION]'],
  options: { reason: reasonOption, 'dry-run': dryRunOption, ...storeOptions },
  run: runRollout,
};

const ACTIONS: readonly string[] = ['halt', 'resume', 'confirm', 'return'];

async function runRollout(context: Context): Promise<ExitCode> {
  const [action = '', given] = context.args;
  if (!ACTIONS.includes(action))
    throw usageError(`'${action}' is nothing to do with a roll-out`, 'store rollout', `Write ${ACTIONS.join(', ')}.`);
  const version = given === undefined ? null : versionArgument(given, 'store rollout');
  const reason = context.required('reason');
  const { client } = await openSession(context, 'store rollout');
  const dryRun = context.flag('dry-run');
  const about = { reason, ...(version === null ? {} : { version }), ...(dryRun ? { dryRun } : {}) };
  const answer = await client.rollout(action, about);
  if (context.json) await context.printJson(answer);
  else
    await context.out.write(
      `${dryRun ? 'would be:\n' : ''}${rolloutText(rolloutOf(answer, client.url), context.paint)}`,
    );
  return 0;
}
