/** `edgeward agent status`: what this host enforces now, and how it stands with its service. */
import type { AgentStatus } from '@edgeward/host-agent/agent';
import type { Command, Context } from '../frame/command.ts';
import type { ExitCode } from '../frame/exit-codes.ts';
import { tableText } from '../frame/table-text.ts';
import { printable } from '../frame/terminal-text.ts';
import { agentOptions, loadAgentConfig } from './agent-config.ts';

export const status: Command = {
  name: 'agent status',
  summary: 'Show what this host enforces, and whether its service is there.',
  help: {
    examples: [
      { line: 'edgeward agent status', says: 'What judges packets here, what was refused and why, and counts.' },
    ],
    usage: ['[--config FILE] [--json]'],
    about: ['JSON: what the agent reports to the service, beside how it reached it.'],
    exits: { 3: 'the agent is not running; its rules, if any, are in force all the same' },
  },
  args: [],
  options: agentOptions,
  run: runStatus,
};

async function runStatus(context: Context): Promise<ExitCode> {
  const config = await loadAgentConfig(context);
  const { readAgentStatus } = await import('@edgeward/host-agent/agent');
  const found = await readAgentStatus(config.runtimeDir);
  if (context.json) await context.printJson(found);
  else await context.out.write(found === null ? NOT_RUNNING : textOf(found));
  return found === null ? 3 : 0;
}

const NOT_RUNNING = 'The agent is not running. What it put in force stays: look with `iptables -S EW-META`.\n';

const APPROVALS = { verified: 'verified here', unverified: 'unverified, on the word of the service' };

function textOf({ point, at, service, waitingSince, report }: AgentStatus): string {
  const { applied, mode, denials, repairs } = report;
  const policy = applied === null ? 'none' : `revision ${applied.revision}, ${mode ?? 'off'}`;
  const contact = service.error === null ? 'reached' : `away (${service.error.code})`;
  // An agent of before this version says nothing of it.
  const since = typeof waitingSince === 'string' ? `, the oldest of ${waitingSince}` : '';
  const rows = [
    ['point', point],
    ['state', report.state],
    ['policy', policy],
    ...(applied === null ? [] : [['approvals', APPROVALS[report.approvals ?? 'unverified']]]),
    ['service', `${service.urls.join(', ')}: ${contact}, last at ${service.reachedAt ?? 'never'}`],
    ['denied', `${denials.denied}, ${denials.pending} records to be sent${since}`],
    [
      'repairs',
      `${repairs.count}${repairs.last === null ? '' : `, last at ${repairs.last.at}: ${repairs.last.words}`}`,
    ],
    ['certificate', `ends ${report.certificateEnds}`],
    ['as of', at],
  ];
  const said = [
    ...(report.nack === null ? [] : [`refused ${report.nack.code}: ${report.nack.message}`]),
    ...report.drift.map((words) => `changed: ${words}`),
    ...report.warnings.map((words) => `warning: ${words}`),
  ];
  return tableText(rows) + said.map((line) => `${printable(line)}\n`).join('');
}
