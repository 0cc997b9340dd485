/** `edgeward why REF`: from the reference that a refused client was shown to the rule and the one condition that failed. */
import { reasonInWords } from '@edgeward/policy';
import type { Command, Context } from '../frame/command.ts';
import type { ExitCode } from '../frame/exit-codes.ts';
import { printable } from '../frame/terminal-text.ts';
import { denialLine, shownAlone } from './denial-line.ts';
import { type Why, whyAnswer } from './service-answers.ts';
import { ledgerOptions, openLedgerService, serviceExits } from './service-client.ts';

export const why: Command = {
  name: 'why',
  summary: 'Explain a denial by the reference that the client was shown.',
  help: {
    examples: [
      { line: 'edgeward why 7f3k9q2m', says: 'Who was refused what, by which rule or for want of which condition.' },
    ],
    usage: ['REF [--config FILE | --url URL --token-file FILE] [--timeout 5s] [--json]'],
    about: [
      'Every 403 carries its reference in a header and in the body; nothing else is revealed there.',
      'A packet that was dropped has none: @7 is its place in the ledger, as `edgeward denials` shows it.',
    ],
    exits: { 3: 'no denial has this reference', ...serviceExits },
  },
  args: ['REF'],
  options: ledgerOptions,
  run: runWhy,
};

async function runWhy(context: Context): Promise<ExitCode> {
  const [ref = ''] = context.args;
  const service = await openLedgerService(context, 'why');
  const { raw, value } = await service.ask({ path: `/v1/why/${encodeURIComponent(ref.trim())}`, answer: whyAnswer });
  if (context.json) await context.printJson(raw);
  else await context.out.write(whyText(value, context));
  return 0;
}

/** Of a flood only the number is known. */
function unknownNow({ windowStart, time, truncated }: Why['event']): string {
  if (truncated === true && windowStart !== time)
    return 'unknown: of these only their number was kept, not what each of them asked for';
  return 'unknown: no policy is known here, or the request was too long to be kept whole';
}

/** Also for whoever leads a person through it. */
export function whyText({ event, nearestRule, missed, judgedAt, now }: Why, { paint, now: clock }: Context): string {
  const line = denialLine(shownAlone(event), clock(), paint);
  const when = event.windowStart === event.time ? event.time : `${event.windowStart} to ${event.time}`;
  const rows: [string, string | null][] = [
    ['when', `${when} at ${event.point}, by revision ${judgedAt}`],
    ['reason', `${event.reason}: ${reasonInWords(event.reason)}`],
    ['rule', event.rule],
    ['nearest', nearestRule],
    ['missed', missed],
    ['host', event.host],
    ['peer', event.peer],
    ['now', now === null ? unknownNow(event) : `${now.words} (revision ${now.revision})`],
  ];
  const details = rows.flatMap(([name, value]) =>
    value === null ? [] : [`  ${name.padEnd(8)} ${printable(value)}\n`],
  );
  return line + details.join('');
}
