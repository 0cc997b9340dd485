/** `edgeward bigip discover`: virtual servers of a box as documents for a policy directory. Sends GETs only. */
import type { Command, Context } from '../frame/command.ts';
import type { ExitCode } from '../frame/exit-codes.ts';
import { counted } from '../frame/terminal-text.ts';
import { readPolicy } from '../policy/policy-reading.ts';
import { bigipOptions, configuredBigip } from './bigip-options.ts';
import { refuseExisting, writeDocuments } from './new-documents.ts';
import { reviewing } from './reviewing.ts';
import { documentsText, namedVirtuals } from './virtual-server-documents.ts';

export const discover: Command = {
  name: 'bigip discover',
  summary: 'Write VirtualServer documents for what a BIG-IP has.',
  help: {
    examples: [
      { line: 'edgeward bigip discover --point bigip-1', says: 'Virtual servers that no policy binds yet, as YAML.' },
      {
        line: 'edgeward bigip discover --point bigip-1 --out policies/bigip-1.yaml',
        says: 'Into a new file of the policy directory; fill in the labels there.',
      },
    ],
    usage: ['[--point NAME] [--out FILE] [--all] [--config FILE] [--json]'],
    about: [
      'Each document gets mode observe, and no label: those are for you to give. What can not be protected stands in comments, with the reason. A file that exists is never replaced.',
      'JSON: {point, unit, url, virtuals: [{fullPath, name, object: {ports, protocol} or null, bound, enabled, attached, remarks}], file}.',
    ],
    exits: { 2: 'the command line is wrong, or FILE can not be written' },
  },
  args: [],
  options: {
    ...bigipOptions,
    out: { type: 'string', value: 'FILE', says: 'Where to write; stdout without it.' },
    all: { type: 'boolean', says: 'Those that the policy binds already, too.' },
  },
  run: runDiscover,
};

async function runDiscover(context: Context): Promise<ExitCode> {
  const { config, bigip } = await configuredBigip(context);
  // Only what is named and bound counts here: whoever begins has no sound policy yet.
  const { model } = (await readPolicy(context, config.policies)).resolution;
  const out = context.text('out') ?? '-';
  if (out !== '-') await refuseExisting(out);
  const own = model.virtualServers.filter(({ value }) => value.point === bigip.name);
  const bound = new Map(own.map(({ value }) => [value.bind, value.name]));
  const without = new Set(context.flag('all') ? [] : bound.keys());
  let says = `reading ${bigip.name}`;
  const found = await reviewing(
    context,
    bigip,
    () => says,
    (review) =>
      review.discover(without, (done, all) => {
        says = `reading virtual server ${done + 1} of ${all}`;
      }),
  );
  const taken = [...model.workloads, ...model.virtualServers].map(({ value }) => value.name);
  const virtuals = namedVirtuals(found.virtuals, bound, taken);
  const text = documentsText({ ...found, virtuals, left: without.size });
  if (out !== '-') await writeDocuments(out, text);
  if (context.json) await context.printJson({ ...found, virtuals, file: out === '-' ? null : out });
  else if (out === '-') await context.out.write(text);
  else
    await context.out.write(
      `wrote ${counted(virtuals.filter((it) => it.object !== null).length, 'document')} to ${out}\n`,
    );
  return 0;
}
