/**
 * `edgeward explain DIR`: the verdict on one flow, with its reason in words and the lines that it comes from; or on a
 * file of flows (see `explain-flows`). It asks the policy in DIR, not what a point has applied.
 */
import {
  type Explanation,
  explain as explainFlow,
  type Flow,
  identitiesOf,
  parseAddress,
  parsePort,
  pointViews,
  type Resolution,
  reasonInWords,
} from '@edgeward/policy';
import { sha256Hex } from '@edgeward/runtime';
import type { Command, Context } from '../frame/command.ts';
import type { ExitCode } from '../frame/exit-codes.ts';
import { didYouMean } from '../frame/nearest-name.ts';
import { printable } from '../frame/terminal-text.ts';
import { usageError } from '../frame/usage-error.ts';
import { explainFlows } from './explain-flows.ts';
import { type PolicyReading, placeOf } from './policy-reading.ts';
import { readSoundPolicy } from './sound-policy.ts';

const flowOptions = ['from', 'to', 'port', 'method', 'path', 'host', 'forwarded-for'] as const;

export const explain: Command = {
  name: 'explain',
  summary: 'Say what a policy decides about a flow, and why.',
  help: {
    examples: [
      {
        line: 'edgeward explain policies --from 10.30.1.4 --to order-front --port tcp/443 --path /v1/orders/7',
        says: 'ALLOW or DENY, the rule, and for a denial the rule that came nearest.',
      },
      {
        line: 'edgeward explain policies --flows flows.ndjson',
        says: 'One JSON verdict per line, in order; `-` reads stdin.',
      },
    ],
    usage: [
      'DIR --from IP --to OBJECT --port tcp/443 [--method GET] [--path /x] [--host h] [--forwarded-for LIST] [--json]',
      'DIR --flows FILE',
    ],
    about: [
      'An object in observe is judged as if it were enforced; `mode` says that the traffic passes all the same.',
      'JSON: {verdict, reason, rule, mode, revision, object, objectLabels, source, nearestRule, missed, words, rulePlace, nearestPlace}.',
      'A line of FILE is {from, to, port, method?, path?, host?, forwardedFor?} of at most 1 MiB; other keys are not looked at. Its answer is {verdict, reason, rule, mode, revision}, or {error: {code, message}} where the line cannot be read.',
    ],
    exits: {
      0: 'allow; with --flows: every line was read, whatever the verdicts',
      2: 'the command line is wrong, or FILE cannot be read',
      3: 'deny, or the policy has errors; with --flows: a line could not be read',
    },
  },
  args: ['DIR'],
  options: {
    from: { type: 'string', value: 'IP', says: 'Address of the peer.' },
    to: { type: 'string', value: 'OBJECT', says: 'Name of the protected object.' },
    port: { type: 'string', value: 'PORT', says: 'As in tcp/443 or udp/53.' },
    method: { type: 'string', value: 'METHOD', says: 'HTTP method; GET where the object has requests.' },
    path: { type: 'string', value: 'PATH', says: 'Request target as it is sent, escapes and all; / without it.' },
    host: { type: 'string', value: 'HOST', multiple: true, says: 'Host header; several times for several headers.' },
    'forwarded-for': { type: 'string', value: 'LIST', says: 'X-Forwarded-For, believed from trusted proxies only.' },
    flows: { type: 'string', value: 'FILE', says: 'Judge a file of flows instead, one JSON object per line.' },
  },
  run: runExplain,
};

async function runExplain(context: Context): Promise<ExitCode> {
  const [directory = ''] = context.args;
  const flows = context.text('flows');
  const both = flows === undefined ? undefined : flowOptions.find((name) => context.flag(name));
  if (both !== undefined) throw usageError(`--flows and --${both} can't be given together`, 'explain');
  const flow = flows === undefined ? flowOf(context) : null;
  const reading = await readSoundPolicy(context, directory);
  if (reading === null) return 3;
  if (flow === null) return await explainFlows(context, reading.resolution, flows ?? '-');
  const view = pointViews(reading.resolution, sha256Hex).forObject(flow.to);
  const explanation = explainFlow(identitiesOf(reading.resolution), view, flow);
  await printExplanation(context, reading, explanation);
  return explanation.verdict === 'allow' ? 0 : 3;
}

function flowOf(context: Context): Flow {
  const flow: Flow = { from: context.required('from'), to: context.required('to'), port: context.required('port') };
  if (parseAddress(flow.from) === null) throw usageError(`--from: '${flow.from}' is no address`, 'explain');
  if (parsePort(flow.port) === null) {
    throw usageError(`--port: '${flow.port}' is no port`, 'explain', 'Write tcp/443 or udp/53.');
  }
  const method = context.text('method');
  const path = context.text('path');
  const forwardedFor = context.text('forwarded-for');
  const [host, ...more] = context.texts('host');
  if (method !== undefined) flow.method = method;
  if (path !== undefined) flow.path = path;
  if (host !== undefined) flow.host = more.length === 0 ? host : [host, ...more];
  if (forwardedFor !== undefined) flow.forwardedFor = forwardedFor;
  return flow;
}

async function printExplanation(context: Context, reading: PolicyReading, it: Explanation): Promise<void> {
  const rulePlace = rulePlaceOf(reading.resolution, it.rule);
  const nearestPlace = rulePlaceOf(reading.resolution, it.nearestRule);
  if (context.json) {
    await context.printJson({ ...it, rulePlace, nearestPlace });
    return;
  }
  const at = (place: Place | null): string => (place === null ? '' : `  ${placeOf(reading.directory, place)}`);
  const rows: [string, string][] = [['reason', `${it.reason}: ${reasonInWords(it.reason)}`]];
  if (it.rule !== null) rows.push(['rule', `${it.rule}${at(rulePlace)}`]);
  if (it.nearestRule !== null) rows.push(['nearest', `${it.nearestRule}${at(nearestPlace)}`]);
  if (it.missed !== null) rows.push(['missed', it.missed]);
  if (it.mode !== null) rows.push(['mode', it.mode]);
  const hint = it.mode === null ? didYouMean(it.object, namesIn(reading.resolution)).trim() : '';
  if (hint !== '') rows.push(['object', hint]);
  const details = rows.map(([name, value]) => `  ${name.padEnd(8)} ${printable(value)}\n`).join('');
  const paint =
    it.verdict === 'allow' ? context.paint.good : it.mode === 'observe' ? context.paint.warn : context.paint.bad;
  await context.out.write(`${paint(printable(it.words))}\n${details}`);
}

interface Place {
  file: string;
  line: number;
}

/** Where a rule is written. Ids are unique in a policy without errors. */
function rulePlaceOf(resolution: Resolution, id: string | null): Place | null {
  const found = id === null ? undefined : resolution.rules.find((it) => it.rule.id === id);
  if (found === undefined) return null;
  const { document } = found.policy;
  const { rules } = document.value as { rules: { id: unknown }[] };
  const { line } = document.locate(['rules', rules.findIndex((rule) => rule.id === id)]);
  return { file: document.file, line };
}

function namesIn(resolution: Resolution): string[] {
  return resolution.objects.map(({ name }) => name);
}
