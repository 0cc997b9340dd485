/** `edgeward bigip attach` and `detach`: the one reviewed change to a virtual server, its list of rules. */
import type { AttachmentResult, RulesChange } from '@edgeward/f5-irules';
import type { BigipConfig } from '@edgeward/sync-service';
import type { Command, Context } from '../frame/command.ts';
import type { ExitCode } from '../frame/exit-codes.ts';
import { type Paint, printable } from '../frame/terminal-text.ts';
import { usageError } from '../frame/usage-error.ts';
import { bigipOptions, configuredBigip } from './bigip-options.ts';
import { readPointPolicy } from './point-policy.ts';
import { reviewing } from './reviewing.ts';

const dryRun = { type: 'boolean', says: 'Say what would change, and write nothing.' } as const;
const json =
  'JSON: {point, unit, url, changes: [{virtual, before, after, mode, warnings}], sync, syncCommand, dryRun}; equal lists: nothing was to do.';
const pair =
  'The configuration is saved. A pair that was in sync is synced; otherwise the command for it is printed, because a config-sync would carry changes of others.';

export const attach: Command = {
  name: 'bigip attach',
  summary: 'Put the rules first on virtual servers.',
  help: {
    examples: [
      { line: 'edgeward bigip attach /Common/vs_orders --point bigip-1 --dry-run', says: 'Rules before and after.' },
      {
        line: 'edgeward bigip attach /Common/vs_orders --point bigip-1',
        says: 'Do it; other rules stay, in their order.',
      },
    ],
    usage: ['VIRTUAL... [--point NAME] [--dry-run] [--force] [--config FILE] [--json]'],
    about: [
      'VIRTUAL is a full path. The rule for requests is attached where the object of the policy has `protocol: http`. Once attached, a policy changes nothing on the virtual server.',
      'Refused where no policy is in force for it, or the rules are not on the box yet: everything would be denied. All are looked at before any is written.',
      pair,
      json,
    ],
    exits: {
      0: 'they are attached',
      3: 'refused: the error says why; or the policy has errors',
      75: 'somebody else changed it meanwhile, or a sync is not through',
    },
  },
  args: ['VIRTUAL...'],
  options: {
    ...bigipOptions,
    'dry-run': dryRun,
    force: { type: 'boolean', says: 'Attach although everything would be denied there.' },
  },
  run: (context) => runAttach(context),
};

export const detach: Command = {
  name: 'bigip detach',
  summary: 'Take the rules off virtual servers: everything passes there.',
  help: {
    examples: [
      { line: 'edgeward bigip detach /Common/vs_orders --point bigip-1 --dry-run', says: 'Rules before and after.' },
      {
        line: 'edgeward bigip detach /Common/vs_orders --point bigip-1',
        says: 'Do it; other rules stay, in their order.',
      },
    ],
    usage: ['VIRTUAL... [--point NAME] [--dry-run] [--config FILE] [--json]'],
    about: [
      'Needs no policy, so that it works when that is broken. To let traffic pass and keep the rules, set `mode: off` or `observe` in the policy instead.',
      pair,
      json,
    ],
    exits: {
      0: 'they are detached',
      3: 'refused: the error says why',
      75: 'somebody else changed it meanwhile, or a sync is not through',
    },
  },
  args: ['VIRTUAL...'],
  options: { ...bigipOptions, 'dry-run': dryRun },
  run: (context) => runDetach(context),
};

type Protocol = 'http' | 'tcp' | null;

async function runAttach(context: Context): Promise<ExitCode> {
  const virtuals = virtualsIn(context, 'bigip attach');
  const { config, bigip } = await configuredBigip(context);
  const own = await readPointPolicy(context, config, bigip.name);
  if (own === null) return 3;
  const protocols = new Map(own.policy.objects.map(({ bind, protocol }) => [bind, protocol]));
  return await change(context, bigip, 'attach', virtuals, (virtual) => protocols.get(virtual) ?? null);
}

async function runDetach(context: Context): Promise<ExitCode> {
  const virtuals = virtualsIn(context, 'bigip detach');
  const { bigip } = await configuredBigip(context);
  return await change(context, bigip, 'detach', virtuals, () => null);
}

/** Each once, in the order given. */
function virtualsIn(context: Context, command: string): string[] {
  for (const virtual of context.args) {
    if (virtual.startsWith('/')) continue;
    throw usageError(`'${virtual}' is no full path`, command, 'Write it as /Common/vs_orders.');
  }
  return [...new Set(context.args)];
}

async function change(
  context: Context,
  bigip: BigipConfig,
  does: 'attach' | 'detach',
  names: readonly string[],
  protocolOf: (virtual: string) => Protocol,
): Promise<ExitCode> {
  const dry = context.flag('dry-run');
  const virtuals = names.map((fullPath) => ({ fullPath, protocol: protocolOf(fullPath) }));
  const task = { virtuals, does, dryRun: dry, force: does === 'attach' && context.flag('force') };
  const says = (): string => `${does}ing at ${bigip.name}`;
  const result = await reviewing(context, bigip, says, (review) => review.changeRules(task));
  if (context.json) await context.printJson({ ...result, dryRun: dry });
  else await context.out.write(textOf(result, does, dry, context.paint));
  return 0;
}

function textOf(result: AttachmentResult, does: 'attach' | 'detach', dry: boolean, paint: Paint): string {
  const changes = result.changes.map((it) => changeLines(it, does, dry, paint).join('\n'));
  return `${changes.join('\n')}\n${endText(result, dry, paint)}`;
}

function changeLines(
  { virtual, before, after, warnings }: RulesChange,
  does: 'attach' | 'detach',
  dry: boolean,
  paint: Paint,
): string[] {
  const isDone = before.join('\n') === after.join('\n');
  const outcome = isDone ? `is ${does}ed already` : `${dry ? 'would be' : 'is'} ${does}ed`;
  return [
    `${paint.strong(printable(virtual))} ${isDone ? paint.dim(outcome) : paint.good(outcome)}`,
    ...(isDone ? listLines('rules', before) : [...listLines('before', before), ...listLines('after', after)]),
    ...warnings.map((words) => `  ${paint.warn('warning')}  ${printable(words)}`),
  ];
}

function listLines(title: string, rules: readonly string[]): string[] {
  const shown = rules.length === 0 ? ['(none)'] : rules.map(printable);
  return shown.map((rule, index) => `  ${(index === 0 ? title : '').padEnd(6)}  ${rule}`);
}

function endText({ changes, sync, syncCommand, unit }: AttachmentResult, dry: boolean, paint: Paint): string {
  const at = printable(unit);
  if (changes.every(({ before, after }) => before.join('\n') === after.join('\n'))) return '';
  if (dry) return 'Nothing was written.\n';
  if (sync === 'alone') return `Saved on ${at}.\n`;
  if (sync === 'done') return `Saved on ${at}, and the pair is in sync.\n`;
  if (sync === 'automatic') return `Saved on ${at}; the pair syncs by itself.\n`;
  return `Saved on ${at}. ${paint.warn('A config-sync is due')}: changes of somebody else were waiting before.\n  ${printable(syncCommand ?? '')}\n`;
}
