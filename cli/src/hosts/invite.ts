/** `edgeward hosts invite NAME`: the one line that gives a host its identity, once. */
import { inviteHost, loadServiceConfig, planInvite } from '@edgeward/sync-service';
import { configOption } from '../config-option.ts';
import type { Command, Context } from '../frame/command.ts';
import type { ExitCode } from '../frame/exit-codes.ts';
import { wholeNumber } from '../frame/option-values.ts';
import { printable } from '../frame/terminal-text.ts';
import { usageError } from '../frame/usage-error.ts';

const MINUTES = 15;
const MOST_MINUTES = 24 * 60;

export const invite: Command = {
  name: 'hosts invite',
  summary: 'Make an invite, by which one host gets its identity once.',
  help: {
    examples: [
      { line: 'edgeward hosts invite billing-db-1', says: 'Prints the invite, one line on standard output.' },
      {
        line: 'edgeward hosts invite billing-db-1 | ssh billing-db-1 edgeward agent enrol -',
        says: 'Carries it there without a trace on the way.',
      },
    ],
    usage: ['NAME [--minutes 15] [--via ADDRESS] [--config FILE] [--dry-run] [--json]'],
    about: [
      'NAME stands under hosts.points in the configuration. The invite is good once and until its end, for this host alone; another one for the same host voids it. It holds a secret: whoever has it first is that host. Of the secret only a hash is kept here.',
      'Inviting a host that has an identity is how that one is taken away: with the enrolment every earlier certificate of this host is void.',
      'JSON: {point, invite, url, endsAt}; the invite is null in a dry run.',
    ],
    exits: { 78: 'the configuration has no such host or no hosts.enrolListen, or the state folder can not be used' },
  },
  args: ['NAME'],
  options: {
    config: configOption,
    minutes: { type: 'string', value: 'N', says: `How long it is good: ${MINUTES}; at most ${MOST_MINUTES}.` },
    via: {
      type: 'string',
      value: 'ADDRESS',
      says: 'Which of hosts.names this host reaches; the first one without it.',
    },
    'dry-run': { type: 'boolean', says: 'Say what would be made, and make nothing.' },
  },
  run: runInvite,
};

async function runInvite(context: Context): Promise<ExitCode> {
  const [point = ''] = context.args;
  const minutes = wholeNumber(context, 'minutes', MINUTES, 'hosts invite');
  if (minutes < 1 || minutes > MOST_MINUTES)
    throw usageError(`--minutes: ${minutes} is not from 1 to ${MOST_MINUTES}`, 'hosts invite');
  const { hosts } = await loadServiceConfig({ file: context.text('config'), env: context.env });
  const request = { point, minutes, via: context.text('via'), nowMs: context.now() };
  const dry = context.flag('dry-run');
  const made = dry ? { ...planInvite(hosts, request), invite: null } : await inviteHost(hosts, request);
  if (context.json) {
    await context.printJson(made);
    return 0;
  }
  const facts = `for ${made.point}, good once and until ${made.endsAt}, at ${made.url}`;
  if (made.invite === null) await context.out.write(`${printable(`would make an invite ${facts}`)}\n`);
  else {
    // The line alone goes to standard output, so that it can be piped to where it is used.
    await context.err.write(`${printable(`Invite ${facts}. On the host: edgeward agent enrol INVITE`)}\n`);
    await context.out.write(`${made.invite}\n`);
  }
  return 0;
}
