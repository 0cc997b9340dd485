/** `edgeward agent enrol INVITE`: gives this host an identity, once. */
import type { Command, Context } from '../frame/command.ts';
import type { ExitCode } from '../frame/exit-codes.ts';
import { printable } from '../frame/terminal-text.ts';
import { usageError } from '../frame/usage-error.ts';
import { agentOptions, loadAgentConfig } from './agent-config.ts';

export const enrol: Command = {
  name: 'agent enrol',
  summary: 'Give this host an identity, by an invite of the sync service.',
  help: {
    examples: [
      { line: 'edgeward agent enrol INVITE', says: 'The line that `edgeward hosts invite NAME` printed.' },
      { line: 'edgeward agent enrol - < invite.txt', says: 'The same without a trace in the process list.' },
    ],
    usage: ['INVITE [--config FILE] [--json]', '- [--config FILE] [--json]'],
    about: [
      'The key is made here and never leaves. The invite is good once and for some minutes; an identity that is there is replaced.',
      'Run it as root, or as the user that the state folder belongs to: what is written belongs to that user. Nothing is enforced by it.',
    ],
    exits: { 3: 'the service refuses the invite', 69: 'the service is not there', 78: 'nothing can be written' },
  },
  args: ['INVITE'],
  options: agentOptions,
  run: runEnrol,
};

const MAX_INVITE = 4_096;

async function runEnrol(context: Context): Promise<ExitCode> {
  const [given = ''] = context.args;
  const config = await loadAgentConfig(context);
  const invite = given === '-' ? await inviteFrom(context.stdin) : given;
  const { enrolHost, endOf } = await import('@edgeward/host-agent/agent');
  const identity = await enrolHost(invite, config.stateDir);
  const { point, service } = identity;
  const certificateEnds = endOf(identity.certificate);
  if (context.json) await context.printJson({ point, service, certificateEnds, stateDir: config.stateDir });
  else
    await context.out.write(
      `This host is ${printable(point)}. Its service: ${service.map(printable).join(', ')}.\n` +
        'Start the agent: systemctl enable --now edgeward-agent (one that runs goes on as before: systemctl restart it)\n',
    );
  return 0;
}

async function inviteFrom(stdin: Context['stdin']): Promise<string> {
  let text = '';
  for await (const piece of stdin) {
    text += piece.toString();
    if (text.length > MAX_INVITE) throw usageError('what stands on standard input is no invite', 'agent enrol');
  }
  return text;
}
