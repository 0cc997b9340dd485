/** `edgeward store reject`: ends a proposal that is not to be. */
import type { Command, Context } from '../../frame/command.ts';
import type { ExitCode } from '../../frame/exit-codes.ts';
import { printable } from '../../frame/terminal-text.ts';
import { openSession, storeExits, storeOptions, storeUsage } from '../store-session.ts';
import { dryRunOption, proposalArgument, reasonOption } from './change-options.ts';

export const reject: Command = {
  name: 'store reject',
  summary: 'End a proposal.',
  help: {
    examples: [
      {
        line: 'edgeward store reject 3f6c0a94d2e1b857 --reason "the fence is too wide"',
        says: 'It can be proposed anew.',
      },
    ],
    usage: [`ID --reason TEXT [--dry-run] ${storeUsage} [--json]`],
    about: [
      'By an approver, or by who proposed it. What was published already stays.',
      'JSON: {rejected: {id, dryRun}}.',
    ],
    exits: { ...storeExits, 3: 'the store refuses: it is closed, or not yours' },
  },
  args: ['ID'],
  options: { reason: reasonOption, 'dry-run': dryRunOption, ...storeOptions },
  run: runReject,
};

async function runReject(context: Context): Promise<ExitCode> {
  const { id } = proposalArgument(context.args[0] ?? '', 'store reject');
  const reason = context.required('reason');
  const { client } = await openSession(context, 'store reject');
  const dryRun = context.flag('dry-run');
  await client.reject(id, { reason, dryRun });
  if (context.json) await context.printJson({ rejected: { id, dryRun } });
  else await context.out.write(printable(`${dryRun ? 'would reject' : 'rejected'} ${id}`).concat('\n'));
  return 0;
}
