/** `edgeward nginx check`: whether the configuration of an NGINX enforces the policy. Reads only. */
import { type Review, reviewDump, type ServerFinding } from '@edgeward/nginx-njs';
import { configOption } from '../config-option.ts';
import type { Command, Context } from '../frame/command.ts';
import type { ExitCode } from '../frame/exit-codes.ts';
import { counted, type Paint, printable } from '../frame/terminal-text.ts';
import { dumpOptions, readNginxDump } from './nginx-dump.ts';
import { configuredPoint, policyOf } from './nginx-point.ts';

export const check: Command = {
  name: 'nginx check',
  summary: 'Whether the configuration of an NGINX leaves a way around the policy.',
  help: {
    examples: [
      { line: 'edgeward nginx check --point edge-1', says: 'Runs `nginx -T`, and holds it against the policy too.' },
      { line: 'nginx -T | edgeward nginx check --dump -', says: 'Without a policy, as before there is one.' },
    ],
    usage: [
      '[--point NAME] [--nginx PROGRAM] [--open NAME]... [--strict] [--config FILE] [--json]',
      '--dump FILE [--point NAME] [--open NAME]... [--strict] [--config FILE] [--json]',
    ],
    about: [
      'Every finding says where, what can happen and what to do. An error is traffic that is not treated as the policy says, a warning is worth knowing, and "can\'t tell" is what the configuration alone does not say.',
      'Without --config and --point no policy is read: objects, ports and the size of the zone are then not compared.',
      'JSON: {findings: [{severity, code, file, line, message, mend}], servers: [{file, line, title, listeners, state, object}], errors, warnings, unknown, files, point, policyRead}.',
    ],
    exits: {
      0: 'no error; with --strict nothing at all',
      3: 'there are errors, or with --strict any finding; or the policy has errors',
      78: 'NGINX refuses its configuration, or there is no output of `nginx -T`',
    },
  },
  args: [],
  options: {
    point: {
      type: 'string',
      value: 'NAME',
      says: 'The point, as edgeward.yaml names it; not needed where it names one.',
    },
    ...dumpOptions,
    open: {
      type: 'string',
      value: 'NAME',
      says: 'A server that everybody may reach, by a name or a listener of it.',
      multiple: true,
    },
    strict: { type: 'boolean', says: 'Warnings, and what can not be told, count as errors.' },
    config: configOption,
  },
  run: runCheck,
};

async function runCheck(context: Context): Promise<ExitCode> {
  const configured = await configuredPoint(context);
  const own = await policyOf(context, configured);
  if (own.state === 'refused') return 3;
  const dump = await readNginxDump(context);
  const denyLog = configured?.point.denyLog ?? null;
  const review = reviewDump({
    dump,
    policy: own.state === 'known' ? own.policy : null,
    denyLog,
    mode: configured === null ? null : (configured.point.native?.mode ?? 'live'),
    open: context.texts('open'),
  });
  const point = configured?.point.name ?? null;
  const policyRead = own.state === 'known';
  const counts = countsOf(review.findings);
  if (context.json) await context.printJson({ ...review, ...counts, point, policyRead });
  else await context.out.write(textOf(review, counts, policyRead, context.paint));
  const { errors, warnings, unknown } = counts;
  return errors + (context.flag('strict') ? warnings + unknown : 0) > 0 ? 3 : 0;
}

type Counts = Record<'errors' | 'warnings' | 'unknown', number>;

function countsOf(findings: readonly ServerFinding[]): Counts {
  const of = (severity: ServerFinding['severity']): number => findings.filter((it) => it.severity === severity).length;
  return { errors: of('error'), warnings: of('warning'), unknown: of('unknown') };
}

function textOf({ findings, servers, files }: Review, counts: Counts, policyRead: boolean, paint: Paint): string {
  const { errors, warnings, unknown } = counts;
  const open = unknown === 0 ? '' : `, ${unknown.toLocaleString('en')} that can't be told`;
  const found = `${counted(errors, 'error')}, ${counted(warnings, 'warning')}${open}`;
  const paintFound = errors > 0 ? paint.bad : warnings + unknown > 0 ? paint.warn : paint.good;
  const isProtected = servers.filter(({ state }) => state === 'protected').length;
  const where = `${counted(files.length, 'file')}, ${counted(servers.length, 'server')}, ${isProtected} protected`;
  const without = policyRead ? '' : '; no policy was read (--point)';
  return `${findings.map((one) => findingText(one, paint)).join('')}${paintFound(found)} in ${where}${without}\n`;
}

function findingText({ severity, code, file, line, message, mend }: ServerFinding, paint: Paint): string {
  const words = { error: paint.bad('error'), warning: paint.warn('warning'), unknown: paint.warn("can't tell") };
  return `${printable(`${file}:${line}`)}  ${words[severity]}  ${code}  ${printable(message)}\n    ${printable(mend)}\n`;
}
