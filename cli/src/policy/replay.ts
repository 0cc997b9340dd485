/**
 * `edgeward replay DIR`: recorded flows, or the denials of the ledger, judged against a draft. One piece of what was
 * recorded is in memory at a time. It writes nothing, and what is in force is not asked.
 */
import {
  createReplay,
  decide,
  type Flow,
  identitiesOf,
  type ObjectViews,
  pointViews,
  type RecordedVerdict,
  type ReplayResult,
} from '@edgeward/policy';
import { sha256Hex } from '@edgeward/runtime';
import type { Command, Context } from '../frame/command.ts';
import type { ExitCode } from '../frame/exit-codes.ts';
import { withProgress } from '../frame/progress.ts';
import { usageError } from '../frame/usage-error.ts';
import { serviceExits, serviceOptions } from '../service/service-client.ts';
import { readRecordedFlow } from './flow-document.ts';
import { createFlowLines, type FlowLine } from './flow-lines.ts';
import { piecesOf } from './flow-pieces.ts';
import { replayDenials } from './replay-denials.ts';
import { type ReplayInput, type Unreadable, unreadable } from './replay-input.ts';
import { replayText } from './replay-text.ts';
import { readSoundPolicy } from './sound-policy.ts';

export const replay: Command = {
  name: 'replay',
  summary: 'Judge recorded flows, or past denials, against a draft.',
  help: {
    examples: [
      {
        line: 'edgeward replay policies --flows flows.ndjson',
        says: 'What of the traffic that passed the draft would deny, and the other way round.',
      },
      { line: 'edgeward replay policies --denials --since 24h', says: 'Which denials of a day the draft would end.' },
    ],
    usage: [
      'DIR --flows FILE [--from OLD_DIR] [--all] [--json]',
      'DIR --denials [--since 24h] [--config FILE] [--timeout 5s] [--all] [--json]',
    ],
    about: [
      'A line of FILE is {from, to, port, method?, path?, host?, forwardedFor?, count?, verdict?} of at most 1 MiB; `-` is stdin. With --from the other directory says what became of it; without, its `verdict` does (allow, deny or would-deny), and a line without one counts as traffic that passed.',
      'With --denials the ledger of the running sync service is judged. A denial whose request was too long to be kept whole is unreadable.',
      'Flows that are judged otherwise are put together by labels × object × port × request, at most 1,000 groups.',
      'JSON: {newlyDenied: {records, count}, newlyAllowed, stillAllowed, stillDenied, unreadable: {records, first: [{line, code, message}]}, groups: [{change, source, object, port, request, before, after, nearestRule, missed, records, count, examples}], ungrouped}.',
    ],
    exits: {
      0: 'every flow is judged as it was',
      3: 'a flow would be newly denied or newly allowed, or could not be read; or a policy has errors',
      ...serviceExits,
    },
  },
  args: ['DIR'],
  options: {
    flows: { type: 'string', value: 'FILE', says: 'Recorded flows, one JSON object per line.' },
    from: { type: 'string', value: 'DIR', says: 'The policy that the flows met.' },
    denials: { type: 'boolean', says: 'The denials of the ledger instead.' },
    since: { type: 'string', value: 'TIME', says: 'Those of the last 90s, 10m, 2h or 1d; 24h without it.' },
    all: { type: 'boolean', says: 'Every line, however many there are.' },
    ...serviceOptions,
  },
  run: runReplay,
};

const maxGroups = 1_000;
const maxExamples = 3;
export interface Replayed extends ReplayResult {
  unreadable: Unreadable;
}

async function runReplay(context: Context): Promise<ExitCode> {
  checkUsage(context);
  const file = context.text('flows');
  const reading = await readSoundPolicy(context, context.args[0] ?? '');
  if (reading === null) return 3;
  const before = context.flag('from') ? await readSoundPolicy(context, context.required('from')) : undefined;
  if (before === null) return 3;
  const { resolution } = reading;
  const views = pointViews(resolution, sha256Hex);
  const input: ReplayInput = {
    replay: createReplay({ views, identities: identitiesOf(resolution), maxGroups, maxExamples }),
    unreadable: { records: 0, first: [] },
    read: 0,
  };
  const says = (): string => `${input.read.toLocaleString('en')} records judged`;
  await withProgress(context.err, says, async () => {
    if (file === undefined) await replayDenials(context, input);
    else await replayFlows(context, input, file, before && pointViews(before.resolution, sha256Hex));
  });
  const result: Replayed = { ...input.replay.result(), unreadable: input.unreadable };
  if (context.json) await context.printJson(result);
  else await context.out.write(replayText(result, context.flag('all'), context.paint));
  const found = result.newlyDenied.records + result.newlyAllowed.records + result.unreadable.records;
  return found > 0 ? 3 : 0;
}

function checkUsage(context: Context): void {
  const both = (one: string, other: string): never => {
    throw usageError(`--${one} and --${other} can't be given together`, 'replay');
  };
  const isDenials = context.flag('denials');
  if (isDenials === context.flag('flows')) {
    throw usageError(
      isDenials ? "--flows and --denials can't be given together" : 'nothing to replay',
      'replay',
      'Give --flows FILE or --denials.',
    );
  }
  if (isDenials && context.flag('from')) both('denials', 'from');
  for (const name of ['since', 'config', 'timeout']) if (!isDenials && context.flag(name)) both('flows', name);
}

async function replayFlows(
  context: Context,
  input: ReplayInput,
  file: string,
  before: ObjectViews | undefined,
): Promise<void> {
  const lines = createFlowLines();
  for await (const piece of piecesOf(context, file))
    for (const line of lines.push(piece)) takeLine(input, line, before);
  for (const line of lines.end()) takeLine(input, line, before);
}

function takeLine(input: ReplayInput, line: FlowLine, before: ObjectViews | undefined): void {
  input.read += 1;
  const read = readRecordedFlow(line);
  if ('error' in read) {
    unreadable(input, read.error);
    return;
  }
  const { flow, verdict, reason, rule, count } = read;
  const recorded = before === undefined ? { verdict: verdict ?? 'allow', reason, rule } : judged(before, flow);
  input.replay.add(flow, recorded, count);
}

function judged(views: ObjectViews, flow: Flow): RecordedVerdict {
  const { verdict, reason, rule } = decide(views.forObject(flow.to), flow);
  return { verdict, reason, rule };
}
