/** `edgeward compile DIR --point NAME --out FILE`: what one point would receive, to look at or to compare. */
import { realpath } from 'node:fs/promises';
import { type CompiledPolicy, compilePoint, pointsOf } from '@edgeward/policy';
import { EdgewardError, messageOf, sha256Hex, systemCodeOf, writeDurably } from '@edgeward/runtime';
import type { Command, Context } from '../frame/command.ts';
import type { ExitCode } from '../frame/exit-codes.ts';
import { didYouMean } from '../frame/nearest-name.ts';
import { counted, printable } from '../frame/terminal-text.ts';
import { readSoundPolicy } from './sound-policy.ts';

export const compile: Command = {
  name: 'compile',
  summary: 'Write what a point would receive.',
  help: {
    examples: [
      { line: 'edgeward compile policies --point edge-1 --out edge-1.json', says: 'Equal policies give equal files.' },
      { line: 'edgeward compile policies --point edge-1 --out -', says: 'To stdout, for jq or diff.' },
    ],
    usage: ['DIR --point NAME --out FILE [--dry-run] [--json]'],
    about: [
      'The revision is 0: nothing is published. FILE is replaced whole or not at all.',
      'JSON: {point, revision, hash, objects, bytes, file}; with `--out -` stdout is the policy itself.',
    ],
    exits: {
      2: 'the command line is wrong, or FILE cannot be written',
      3: 'the policy has errors, or nothing in it is protected by that point',
    },
  },
  args: ['DIR'],
  options: {
    point: { type: 'string', value: 'NAME', says: 'The policy enforcement point.' },
    out: { type: 'string', value: 'FILE', says: 'Where to write; `-` is stdout.' },
    'dry-run': { type: 'boolean', says: 'Compile, but write nothing.' },
  },
  run: runCompile,
};

async function runCompile(context: Context): Promise<ExitCode> {
  const [directory = ''] = context.args;
  const point = context.required('point');
  const file = context.required('out');
  const reading = await readSoundPolicy(context, directory);
  if (reading === null) return 3;
  const points = pointsOf(reading.resolution);
  if (!points.includes(point)) throw unknownPoint(directory, point, points);
  const policy = compilePoint(reading.resolution, point, { revision: 0, digest: sha256Hex });
  const text = `${JSON.stringify(policy)}\n`;
  if (file === '-' && !context.flag('dry-run')) await context.out.write(text);
  else await writePolicy(context, policy, text, file);
  return 0;
}

async function writePolicy(context: Context, policy: CompiledPolicy, text: string, file: string): Promise<void> {
  const dry = context.flag('dry-run');
  // A link stays one: replaced itself, /dev/stdout would be gone for every program of the machine.
  const target = await realpath(file).catch(() => file);
  if (!dry) await writeDurably(target, text, { mode: 0o644 }).catch((thrown: unknown) => throwOutFile(thrown));
  const { point, revision, hash, objects } = policy;
  const bytes = Buffer.byteLength(text);
  if (context.json) {
    await context.printJson({ point, revision, hash, objects: objects.length, bytes, file: dry ? null : file });
    return;
  }
  const what = `${point}: ${counted(objects.length, 'object')}, ${counted(bytes, 'byte')}, hash ${hash.slice(0, 12)}`;
  await context.out.write(printable(`${dry ? 'would write' : 'wrote'} ${file} for ${what}`).concat('\n'));
}

function unknownPoint(directory: string, point: string, points: string[]): EdgewardError {
  const known =
    points.length === 0 ? 'No object in it has a point.' : `Its points are ${points.slice(0, 20).join(', ')}.`;
  return new EdgewardError('EDW_ERR_UNKNOWN_POINT', `nothing in ${directory} is protected by the point '${point}'`, {
    mend: `${known}${didYouMean(point, points)}`,
  });
}

function throwOutFile(cause: unknown): never {
  const full = ['ENOSPC', 'EDQUOT'].includes(systemCodeOf(cause instanceof Error ? cause.cause : null) ?? '');
  if (full)
    throw new EdgewardError('EDW_ERR_OUTPUT', messageOf(cause), { mend: 'Free some space, then try again.', cause });
  throw new EdgewardError('EDW_ERR_OUT_FILE', messageOf(cause), {
    mend: 'Name a file in a folder that exists and that you may write in.',
    cause,
  });
}
