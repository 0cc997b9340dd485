/**
 * `edgeward status`: whether policy is enforced, first; then every point; then what is wrong and how to mend it. With
 * --watch as it happens.
 */
import type { Command, Context } from '../frame/command.ts';
import type { ExitCode } from '../frame/exit-codes.ts';
import { watchOption, watchStatus } from '../frame/status-watch.ts';
import { type ShownStatus, statusAnswer } from './service-answers.ts';
import { SERVICE_AWAY } from './service-away.ts';
import { openService, serviceExits, serviceOptions } from './service-client.ts';
import { statusText } from './status-text.ts';

export const status: Command = {
  name: 'status',
  summary: 'Show whether policy is enforced, and how every point stands.',
  help: {
    examples: [
      { line: 'edgeward status', says: 'One line that says it, a table of points, and what is wrong.' },
      { line: 'edgeward status --watch', says: 'The same, again whenever it changes, until Ctrl-C.' },
      { line: "edgeward status --json | jq '.points[] | {point, state}'", says: 'The same for a script.' },
    ],
    usage: ['[--watch] [--config FILE] [--timeout 5s] [--json]'],
    about: [
      'PROVEN: when a flow that must be let in and one that must be kept out were last sent through the point, and judged so.',
      'Where a point follows a central store, VERSION is the approved version that it holds; `1 → 2` while it is to get another, as when a roll-out reaches it or takes it back.',
      'JSON: what GET /v1/status answers, with --watch one document a line. What time alone changes is no change; a service that is away is waited for.',
    ],
    exits: { 0: 'the service answered, whatever it said; also when --watch is ended by Ctrl-C', ...serviceExits },
  },
  args: [],
  options: { watch: watchOption, ...serviceOptions },
  run: runStatus,
};

/** A point that is away is tried again and again, and nothing about it changed. */
const TIME_KEYS = new Set([
  ...['nowMs', 'lastCheckedAt', 'lastCheckedAtMs', 'provenAtMs', 'at', 'attempts'],
  // Of a sink: what is on its way to it is none either, and `state` says when it lags.
  ...['lagEvents', 'lagSeconds', 'sent', 'lastSuccessAt'],
]);

async function runStatus(context: Context): Promise<ExitCode> {
  const service = await openService(context, 'status');
  const asking = { path: '/v1/status', answer: statusAnswer };
  const text = (value: ShownStatus): string => statusText(value, context.paint);
  if (context.flag('watch'))
    return await watchStatus(context, {
      ask: (signal) => service.ask({ ...asking, signal }),
      text,
      timeKeys: TIME_KEYS,
      passing: SERVICE_AWAY,
    });
  const { raw, value } = await service.ask(asking);
  if (context.json) await context.printJson(raw);
  else await context.out.write(text(value));
  return 0;
}
