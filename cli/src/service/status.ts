/** `edgeward status`: whether policy is enforced, first; then every point; then what is wrong and how to mend it. */
import type { Command, Context } from '../frame/command.ts';
import type { ExitCode } from '../frame/exit-codes.ts';
import { statusAnswer } from './service-answers.ts';
import { openService, serviceExits, serviceOptions } from './service-client.ts';
import { statusText } from './status-text.ts';

export const status: Command = {
  name: 'status',
  summary: 'Show whether policy is enforced, and how every point stands.',
  help: {
    examples: [
      { line: 'edgeward status', says: 'One line that says it, a table of points, and what is wrong.' },
      { line: "edgeward status --json | jq '.points[] | {name, state}'", says: 'The same for a script.' },
    ],
    usage: ['[--config FILE] [--timeout 5s] [--json]'],
    exits: { 0: 'the service answered, whatever it said', ...serviceExits },
  },
  args: [],
  options: serviceOptions,
  run: runStatus,
};

async function runStatus(context: Context): Promise<ExitCode> {
  const service = await openService(context, 'status');
  const { raw, value } = await service.ask({ path: '/v1/status', answer: statusAnswer });
  if (context.json) await context.printJson(raw);
  else await context.out.write(statusText(value, context.paint));
  return 0;
}
