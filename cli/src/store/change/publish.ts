/** `edgeward store publish`: puts an approved proposal into force. */
import type { Command, Context } from '../../frame/command.ts';
import type { ExitCode } from '../../frame/exit-codes.ts';
import { printable } from '../../frame/terminal-text.ts';
import { openSession, storeExits, storeOptions, storeUsage } from '../store-session.ts';
import { dryRunOption, onTopOfOption, proposalArgument, versionArgument } from './change-options.ts';

export const publish: Command = {
  name: 'store publish',
  summary: 'Put an approved proposal into force.',
  help: {
    examples: [{ line: 'edgeward store publish 3f6c0a94d2e1b857', says: '`store status` shows it arriving.' }],
    usage: [`ID [--on-top-of VERSION] [--dry-run] ${storeUsage} [--json]`],
    about: [
      'By a publisher; break-glass by the approver who opened it too. The store looks at every signature once more, and so does every point: publishing opens nothing that was not approved.',
      'Break-glass goes to all points at once, and with it the version that it stands on: while the roll-out of that one is not done (halted, returned, rolling), the store takes it only with --on-top-of and that version.',
      'JSON: {published: {id, kind, version, dryRun}}.',
    ],
    exits: {
      ...storeExits,
      3: 'the store refuses: signatures are missing, something else was published since, or break-glass stands on a version whose roll-out is not done',
    },
  },
  args: ['ID'],
  options: { 'on-top-of': onTopOfOption, 'dry-run': dryRunOption, ...storeOptions },
  run: runPublish,
};

async function runPublish(context: Context): Promise<ExitCode> {
  const { id } = proposalArgument(context.args[0] ?? '', 'store publish');
  const { client } = await openSession(context, 'store publish');
  const dryRun = context.flag('dry-run');
  const onTopOf = context.text('on-top-of');
  const named = onTopOf === undefined ? {} : { onTopOf: versionArgument(onTopOf, 'store publish') };
  const { kind, version } = await client.publish(id, { dryRun, ...named });
  if (context.json) await context.printJson({ published: { id, kind, version, dryRun } });
  else {
    const what = kind === 'root' ? `trust root ${version}` : `version ${version}`;
    await context.out.write(
      printable(`${dryRun ? 'would publish' : 'published'} ${what}, proposal ${id}`).concat('\n'),
    );
  }
  return 0;
}
