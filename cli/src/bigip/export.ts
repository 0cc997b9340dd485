/** `edgeward bigip export`: the change as a folder for a ticket, for boxes that nobody may write to over REST. */
import { join } from 'node:path';
import {
  type Change,
  createIcontrol,
  type Icontrol,
  planExport,
  requireFreeFolder,
  type WrittenFile,
  writeExport,
} from '@edgeward/f5-irules/export';
import { type CompiledPolicy, pointsOf } from '@edgeward/policy';
import { createLogger, EdgewardError } from '@edgeward/runtime';
import { type BigipConfig, bigipAccess, loadServiceConfig } from '@edgeward/sync-service';
import type { Command, Context } from '../frame/command.ts';
import type { ExitCode } from '../frame/exit-codes.ts';
import { didYouMean } from '../frame/nearest-name.ts';
import { withProgress } from '../frame/progress.ts';
import { counted, printable } from '../frame/terminal-text.ts';
import { usageError } from '../frame/usage-error.ts';
import { bigipOptions, configuredBigip } from './bigip-options.ts';
import { findingLines } from './finding-lines.ts';
import { readPointPolicy } from './point-policy.ts';

export const exportCommand: Command = {
  name: 'bigip export',
  summary: 'Write a change as a folder for a change ticket.',
  help: {
    examples: [
      {
        line: 'edgeward bigip export --point bigip-1 --from-box --out CHG-4411',
        says: 'Looks at the box first, so that only what is missing is written and the way back is exact.',
      },
      {
        line: 'edgeward bigip export policies --point bigip-1 --revision 7 --out CHG-4411',
        says: 'Without any connection, and without edgeward.yaml.',
      },
    ],
    usage: ['[DIR] --out DIR [--point NAME] [--from-box] [--revision N] [--config FILE] [--dry-run] [--json]'],
    about: [
      'Begin with PROCEDURE.md in the folder: numbered steps with commands for tmsh. forward.conf and back.conf are for `tmsh load sys config merge`, data/ holds large groups, verify.sh compares a box with the change, MANIFEST has the SHA-256 of every file.',
      'DIR is a policy directory; without it the one of edgeward.yaml. The folder is written whole or not at all, over nothing but an earlier export as it was written. --from-box sends GETs only.',
      'JSON: {point, revision, hash, out, box: {name, url, revision} or null, objects, groups: {all, written, files}, back: "map" or "detach", hazards: [{object, code, words, mend}], files: [{path, bytes, sha256}]}.',
    ],
    exits: {
      2: 'the command line is wrong, or the folder can not be written',
      3: 'the policy has errors, or nothing in it is protected by that point',
    },
  },
  args: ['[DIR]'],
  options: {
    point: {
      type: 'string',
      value: 'NAME',
      says: 'The policy enforcement point; not needed where edgeward.yaml names one BIG-IP.',
    },
    out: { type: 'string', value: 'DIR', says: 'Folder for the change.' },
    'from-box': { type: 'boolean', says: 'Read the box first, as edgeward.yaml names it under `bigips`.' },
    revision: { type: 'string', value: 'N', says: 'Default: one more than the box has; 1 without --from-box.' },
    config: bigipOptions.config,
    'dry-run': { type: 'boolean', says: 'Look and compile, but write nothing.' },
  },
  run: runExport,
};

async function runExport(context: Context): Promise<ExitCode> {
  const out = context.required('out');
  const revision = revisionOf(context);
  const settings = await settingsOf(context);
  const { bigip } = settings;
  await requireFreeFolder(out);
  const policy = await compiledPolicy(context, settings);
  if (policy === null) return 3;
  const says = (): string => `looking at ${bigip?.name ?? 'the policy'}`;
  const change = await withProgress(context.err, says, () => planned(context, policy, revision, bigip));
  const collector = collectorOf(bigip);
  const files = context.flag('dry-run')
    ? null
    : await withProgress(
        context.err,
        () => `writing ${out}`,
        () => writeExport(out, change, collector),
      );
  if (context.json) await context.printJson(documentOf(change, out, files));
  else await context.out.write(textOf(context, change, out, files));
  return 0;
}

function revisionOf(context: Context): number | undefined {
  const text = context.text('revision');
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw usageError(`--revision: '${text}' is no revision`, 'bigip export', 'Write a number from 1 on.');
}

interface Settings {
  policies: string;
  point: string;
  /** null where edgeward.yaml does not name this point, or was not needed. */
  bigip: BigipConfig | null;
}

/** With a directory and no box to look at, no configuration is needed. */
async function settingsOf(context: Context): Promise<Settings> {
  const point = context.text('point');
  const directory = context.args[0];
  if (context.flag('from-box') || point === undefined) {
    const { config, bigip } = await configuredBigip(context);
    return { policies: directory ?? config.policies, point: bigip.name, bigip };
  }
  if (directory !== undefined && context.text('config') === undefined)
    return { policies: directory, point, bigip: null };
  const config = await loadServiceConfig({ file: context.text('config'), env: context.env });
  const bigip = config.bigips.find(({ name }) => name === point) ?? null;
  return { policies: directory ?? config.policies, point, bigip };
}

async function compiledPolicy(context: Context, { policies, point }: Settings): Promise<CompiledPolicy | null> {
  const own = await readPointPolicy(context, { policies }, point);
  if (own === null || own.policy.objects.length > 0) return own?.policy ?? null;
  const points = pointsOf(own.reading.resolution);
  throw new EdgewardError('EDW_ERR_UNKNOWN_POINT', `nothing in ${policies} is protected by the point '${point}'`, {
    mend:
      points.length === 0
        ? 'No object in it has a point.'
        : `Its points are ${points.slice(0, 20).join(', ')}.${didYouMean(point, points)}`,
  });
}

async function planned(
  context: Context,
  policy: CompiledPolicy,
  revision: number | undefined,
  bigip: BigipConfig | null,
): Promise<Change> {
  const wanted = { policy, nowMs: context.now(), ...(revision !== undefined && { revision }) };
  if (!context.flag('from-box') || bigip === null) return await planExport(wanted);
  const boxes = await connections(bigip);
  try {
    return await planExport({ ...wanted, boxes });
  } finally {
    await Promise.all(boxes.map((box) => box.close()));
  }
}

async function connections(bigip: BigipConfig): Promise<Icontrol[]> {
  const { urls, ...access } = await bigipAccess(bigip);
  // What goes wrong is thrown; a log would stand between the lines of the answer.
  const logger = createLogger({ level: 'silent' });
  return urls.map((url) => createIcontrol({ url, ...access, logger }));
}

/** Where denials of this point arrive, if that is an address which a BIG-IP could reach. */
function collectorOf(bigip: BigipConfig | null): { collector?: string } {
  const denials = bigip?.denials ?? null;
  if (denials === null || /^(0\.0\.0\.0|::|::1|127\..*|localhost)$/.test(denials.host)) return {};
  // A member of a pool: `2001:db8::1.6514`
  return { collector: `${denials.host}${denials.host.includes(':') ? '.' : ':'}${denials.port}` };
}

function documentOf(change: Change, out: string, files: WrittenFile[] | null): unknown {
  const { point, revision, policyHash, held, layout, groups, files: large, back, hazards, attachments } = change;
  return {
    point,
    revision,
    hash: policyHash,
    out: files === null ? null : out,
    box: held === null ? null : { name: held.name, url: held.box.url, revision: held.policy?.head.revision ?? null },
    objects: attachments.length,
    groups: { all: layout.groups.length, written: groups.length + large.length, files: large.length },
    back: back.by,
    hazards,
    files: files ?? [],
  };
}

function textOf({ paint }: Context, change: Change, out: string, files: WrittenFile[] | null): string {
  const { point, revision, held, layout, groups, files: large, back, hazards, attachments } = change;
  const bytes = (files ?? []).reduce((sum, file) => sum + file.bytes, 0);
  const what = files === null ? `would write ${out}` : `wrote ${out}`;
  const size = files === null ? '' : `: ${counted(files.length, 'file')}, ${counted(bytes, 'byte')}`;
  const there = held?.policy?.head.revision;
  const box =
    held === null ? 'no box was looked at' : `${held.name} holds ${there === undefined ? 'none' : `revision ${there}`}`;
  const written = `${counted(groups.length + large.length, 'group')} of ${layout.groups.length} to write, ${counted(large.length, 'file')} among them`;
  const wayBack =
    back.by === 'map' ? `back.conf brings revision ${there} back` : 'detach the rules; there is no back.conf';
  const next = files === null ? [] : [`Begin with ${printable(join(out, 'PROCEDURE.md'))}.`];
  const lines = [
    printable(`${what} for ${point}, revision ${revision}${size}`),
    printable(`  ${counted(attachments.length, 'virtual server')}; ${written}; ${box}`),
    `  way back: ${wayBack}`,
    ...next,
  ];
  return `${findingLines(hazards, paint.warn('hazard'))}${lines.join('\n')}\n`;
}
