/** `edgeward accept REVISION`: lets through a revision that is held because it takes away much. It names the revision, so that nobody lets through another one than they looked at. */
import { EdgewardError } from '@edgeward/runtime';
import type { Command, Context } from '../frame/command.ts';
import type { ExitCode } from '../frame/exit-codes.ts';
import { printable } from '../frame/terminal-text.ts';
import { usageError } from '../frame/usage-error.ts';
import { acceptedAnswer, type Held, statusAnswer } from './service-answers.ts';
import { openService, type ServiceClient, serviceExits, serviceOptions } from './service-client.ts';
import { heldText } from './status-text.ts';

export const accept: Command = {
  name: 'accept',
  summary: 'Let a held revision through.',
  help: {
    examples: [
      {
        line: 'edgeward accept 13 --dry-run',
        says: 'What revision 13 would take away, if it is the one that is held.',
      },
      { line: 'edgeward accept 13', says: 'Let it through; `edgeward status` shows when every point has it.' },
    ],
    usage: ['REVISION [--dry-run] [--config FILE] [--timeout 5s] [--json]'],
    about: ['JSON: {accepted: REVISION}; with --dry-run {accepted: null, held: {revision, heldAtMs, objects}}.'],
    exits: { 3: 'nothing is held, or another revision is', ...serviceExits },
  },
  args: ['REVISION'],
  options: {
    'dry-run': { type: 'boolean', says: 'Show what is held, and let nothing through.' },
    ...serviceOptions,
  },
  run: runAccept,
};

async function runAccept(context: Context): Promise<ExitCode> {
  const [given = ''] = context.args;
  if (!/^[1-9]\d{0,15}$/.test(given)) {
    throw usageError(`'${given}' is no revision`, 'accept', '`edgeward status` names the one that is held.');
  }
  const revision = Number(given);
  const service = await openService(context, 'accept');
  if (context.flag('dry-run')) return await showHeld(context, service, revision);
  const asking = { method: 'POST', path: '/v1/accept', body: { revision }, answer: acceptedAnswer } as const;
  const { raw, value } = await service.ask(asking);
  if (context.json) await context.printJson(raw);
  else await context.out.write(`accepted revision ${value.accepted}\n`);
  return 0;
}

async function showHeld(context: Context, service: ServiceClient, revision: number): Promise<ExitCode> {
  const { value } = await service.ask({ path: '/v1/status', answer: statusAnswer });
  const { held } = value.policy;
  if (held?.revision !== revision) throw notHeld(revision, held);
  if (context.json) await context.printJson({ accepted: null, held });
  else await context.out.write(`would accept ${printable(heldText(held, value.nowMs))}\n`);
  return 0;
}

/** The codes that the service answers with when it is asked in earnest. */
function notHeld(revision: number, held: Held | null): EdgewardError {
  if (held === null) {
    const mend = 'Nothing is to be done; `edgeward status` shows what is in force.';
    return new EdgewardError('EDW_ERR_NOTHING_HELD', `accepting revision ${revision}: no revision is held`, { mend });
  }
  return new EdgewardError('EDW_ERR_HELD_OTHER', `accepting revision ${revision}: ${held.revision} is held`, {
    mend: `Look at it with \`edgeward status\`, then \`edgeward accept ${held.revision}\`.`,
  });
}
