/** `edgeward store accept`: lets a change of the inventory through that is held because it takes much away. */
import { EdgewardError } from '@edgeward/runtime';
import type { Command, Context } from '../../frame/command.ts';
import type { ExitCode } from '../../frame/exit-codes.ts';
import { printable } from '../../frame/terminal-text.ts';
import { usageError } from '../../frame/usage-error.ts';
import { heldText } from '../status/status-text.ts';
import { storeStatusOf } from '../status/store-status.ts';
import { openSession, storeExits, storeOptions, storeUsage } from '../store-session.ts';

export const accept: Command = {
  name: 'store accept',
  summary: 'Let through a change of the inventory that is held.',
  help: {
    examples: [
      { line: 'edgeward store accept 1042 --dry-run', says: 'What is held, and what it takes away.' },
      { line: 'edgeward store accept 1042', says: 'As `store status` names it.' },
    ],
    usage: [`REVISION [--dry-run] ${storeUsage} [--json]`],
    about: [
      'The inventory is what machines say, and nobody signs it: what takes from an object more than half of the members that its rules let in waits for a publisher or an approver. What only removes one workload never waits.',
      'JSON: {accepted: REVISION}, or {held: {revision, losses}} in a dry run.',
    ],
    exits: { ...storeExits, 3: 'nothing is held, or another revision' },
  },
  args: ['REVISION'],
  options: { 'dry-run': { type: 'boolean', says: 'Show what is held, and accept nothing.' }, ...storeOptions },
  run: runAccept,
};

async function runAccept(context: Context): Promise<ExitCode> {
  const [text = ''] = context.args;
  if (!/^[1-9]\d{0,14}$/.test(text)) throw usageError(`'${text}' is no revision`, 'store accept');
  const revision = Number(text);
  const { client } = await openSession(context, 'store accept');
  if (!context.flag('dry-run')) {
    const { accepted } = await client.accept(revision);
    if (context.json) await context.printJson({ accepted });
    else await context.out.write(`accepted revision ${accepted}\n`);
    return 0;
  }
  const status = storeStatusOf(await client.status(), client.url);
  const held = status.inventory.waiting;
  if (held === null || held.fault.state !== 'held') throw refusal('EDW_ERR_NOTHING_HELD', 'nothing is held');
  if (held.revision !== revision) throw refusal('EDW_ERR_HELD_OTHER', `revision ${held.revision} is held`);
  if (context.json) await context.printJson({ held: { revision, losses: held.fault.losses } });
  else await context.out.write(`would accept ${printable(heldText(held, status.nowMs))}\n`);
  return 0;
}

function refusal(code: 'EDW_ERR_NOTHING_HELD' | 'EDW_ERR_HELD_OTHER', why: string): EdgewardError {
  return new EdgewardError(code, `accepting a change of the inventory: ${why}`, {
    mend: '`edgeward store status` tells what is held, if anything.',
  });
}
