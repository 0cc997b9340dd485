/** `edgeward store follow-up`: what became of a break-glass version, said by somebody else than who opened it. */
import type { Command, Context } from '../../frame/command.ts';
import type { ExitCode } from '../../frame/exit-codes.ts';
import { usageError } from '../../frame/usage-error.ts';
import { openSession, storeExits, storeOptions, storeUsage } from '../store-session.ts';
import { reasonOption, versionArgument } from './change-options.ts';

export const followUp: Command = {
  name: 'store follow-up',
  summary: 'Close the follow-up of a break-glass version.',
  help: {
    examples: [
      {
        line: 'edgeward store follow-up close 9 --reason "looked at it with Ben, INC-7"',
        says: 'By another approver.',
      },
    ],
    usage: [`close VERSION --reason TEXT ${storeUsage} [--json]`],
    about: [
      'A break-glass version ends by itself; that somebody opened it stays on the record, and is shown until another approver has said what it was for, or until a version of everybody follows.',
      'JSON: {closed: VERSION}.',
    ],
    exits: { ...storeExits, 3: 'none is open for this version, or you opened it' },
  },
  args: ['close', 'VERSION'],
  options: { reason: reasonOption, ...storeOptions },
  run: runFollowUp,
};

async function runFollowUp(context: Context): Promise<ExitCode> {
  const [word = '', text = ''] = context.args;
  if (word !== 'close')
    throw usageError(`'${word}' is nothing to do with a follow-up`, 'store follow-up', 'Write close.');
  const version = versionArgument(text, 'store follow-up');
  const reason = context.required('reason');
  const { client } = await openSession(context, 'store follow-up');
  await client.followUp(version, reason);
  if (context.json) await context.printJson({ closed: version });
  else await context.out.write(`closed the follow-up of version ${version}\n`);
  return 0;
}
