/** `edgeward hosts list`: which hosts there are, since when they have an identity, and who is invited. */
import { type KnownHost, knownHosts, loadServiceConfig } from '@edgeward/sync-service';
import { configOption } from '../config-option.ts';
import type { Command, Context } from '../frame/command.ts';
import type { ExitCode } from '../frame/exit-codes.ts';
import { tableText } from '../frame/table-text.ts';

export const list: Command = {
  name: 'hosts list',
  summary: 'List hosts: since when they are enrolled, and until when invited.',
  help: {
    examples: [{ line: 'edgeward hosts list', says: 'One line a host.' }],
    usage: ['[--config FILE] [--json]'],
    about: [
      'A host that is enrolled and not configured any more is refused; it is listed so that nobody wonders why.',
      'JSON: {hosts: [{point, configured, enrolledAt, invitedUntil}]}; times are null where there are none.',
    ],
    exits: { 78: 'the configuration or the state folder can not be read' },
  },
  args: [],
  options: { config: configOption },
  run: runList,
};

async function runList(context: Context): Promise<ExitCode> {
  const { hosts } = await loadServiceConfig({ file: context.text('config'), env: context.env });
  const known = await knownHosts(hosts, context.now());
  if (context.json) await context.printJson({ hosts: known });
  else
    await context.out.write(
      known.length === 0 ? 'No hosts are configured.\n' : tableText([HEADING, ...known.map(row)]),
    );
  return 0;
}

const HEADING = ['HOST', 'ENROLLED', 'INVITED UNTIL', ''];

function row({ point, configured, enrolledAt, invitedUntil }: KnownHost): string[] {
  return [point, enrolledAt ?? 'never', invitedUntil ?? '-', configured ? '' : 'not configured: refused'];
}
