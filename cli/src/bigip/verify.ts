/** `edgeward bigip verify`: whether a box holds what the policy compiles to. Reads only. */
import type { Verification } from '@edgeward/f5-irules';
import type { Command, Context } from '../frame/command.ts';
import type { ExitCode } from '../frame/exit-codes.ts';
import { counted, type Paint, printable } from '../frame/terminal-text.ts';
import { bigipOptions, configuredBigip } from './bigip-options.ts';
import { findingLines } from './finding-lines.ts';
import { readPointPolicy } from './point-policy.ts';
import { reviewing } from './reviewing.ts';

export const verify: Command = {
  name: 'bigip verify',
  summary: 'Whether a BIG-IP holds exactly what the policy says.',
  help: {
    examples: [
      { line: 'edgeward bigip verify --point bigip-1', says: 'After a change ticket, or whenever somebody asks.' },
      { line: 'edgeward bigip verify --point bigip-1 --strict', says: 'Hazards count too.' },
    ],
    usage: ['[--point NAME] [--strict] [--config FILE] [--json]'],
    about: [
      'Reads every group of the policy whole and compares contents: who wrote them, and under which revision, does not matter. Credentials that may read are enough.',
      'Differences are what the box enforces otherwise: map, groups, rules, and virtual servers without them. Hazards are what may keep a right policy from being enforced, or from lasting.',
      'JSON: {point, unit, url, revision, policy: {held, wanted}, differences: [{object, code, words, mend}], hazards: [the same], checked, verified}.',
    ],
    exits: {
      0: 'it holds what the policy says',
      3: 'it does not, or with --strict there are hazards; or the policy has errors',
    },
  },
  args: [],
  options: { ...bigipOptions, strict: { type: 'boolean', says: 'Hazards count as differences.' } },
  run: runVerify,
};

async function runVerify(context: Context): Promise<ExitCode> {
  const { config, bigip } = await configuredBigip(context);
  const own = await readPointPolicy(context, config, bigip.name);
  if (own === null) return 3;
  const says = (): string => `reading ${bigip.name}`;
  const found = await reviewing(context, bigip, says, (review) => review.verify(own.policy));
  const counts = [...found.differences, ...(context.flag('strict') ? found.hazards : [])];
  const verified = counts.length === 0;
  if (context.json) await context.printJson({ ...found, verified });
  else await context.out.write(textOf(found, verified, context.paint));
  return verified ? 0 : 3;
}

function textOf(found: Verification, verified: boolean, paint: Paint): string {
  const { point, unit, url, revision, checked, differences, hazards } = found;
  const lines = findingLines(differences, paint.bad('differs')) + findingLines(hazards, paint.warn('hazard'));
  const what = [
    counted(checked.objects, 'object'),
    counted(checked.groups, 'group'),
    counted(checked.rules, 'rule'),
  ].join(', ');
  const at = printable(`${point}, ${unit} at ${url}, ${revision === null ? 'no revision' : `revision ${revision}`}`);
  const hazardous = hazards.length === 0 ? '' : `, with ${counted(hazards.length, 'hazard')}`;
  const verdict =
    differences.length === 0
      ? `${(verified ? paint.good : paint.bad)('holds what the policy says')}${hazardous}`
      : paint.bad(`${counted(differences.length, 'difference')}${hazardous}`);
  return `${lines}${at}: ${verdict} (${what})\n`;
}
