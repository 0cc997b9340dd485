/** `edgeward nginx discover`: the servers of an NGINX as documents for a policy directory. Reads only. */
import { type DiscoveredServer, discoverServers } from '@edgeward/nginx-njs';
import { EdgewardError } from '@edgeward/runtime';
import { loadServiceConfig, type ServiceConfig } from '@edgeward/sync-service';
import { refuseExisting, writeDocuments } from '../bigip/new-documents.ts';
import { documentsText, namedVirtuals } from '../bigip/virtual-server-documents.ts';
import { configOption } from '../config-option.ts';
import type { Command, Context } from '../frame/command.ts';
import type { ExitCode } from '../frame/exit-codes.ts';
import { counted } from '../frame/terminal-text.ts';
import { readPolicy } from '../policy/policy-reading.ts';
import { dumpOptions, readNginxDump } from './nginx-dump.ts';

export const discover: Command = {
  name: 'nginx discover',
  summary: 'Write VirtualServer documents for what an NGINX serves.',
  help: {
    examples: [
      { line: 'edgeward nginx discover --point edge-1', says: 'Servers that no policy binds yet, as YAML.' },
      {
        line: 'edgeward nginx discover --point edge-1 --out policies/edge-1.yaml',
        says: 'Into a new file of the policy directory; fill in the labels there.',
      },
    ],
    usage: ['--point NAME [--nginx PROGRAM | --dump FILE] [--out FILE] [--all] [--config FILE] [--json]'],
    about: [
      'Each document gets mode observe, and no label: those are for you to give. What can not be protected stands in comments, with the reason. A file that exists is never replaced.',
      'Where there is an edgeward.yaml, what its policy directory binds already is left out. Neither need be there yet, nor the point be named in it.',
      'JSON: {point, unit, servers: [{file, line, title, names, listeners, targets, state, bind, name, object: {ports, protocol} or null, bound, remarks}], file}.',
    ],
    exits: { 2: 'the command line is wrong, or FILE can not be written' },
  },
  args: [],
  options: {
    point: { type: 'string', value: 'NAME', says: 'The point that the documents name.' },
    ...dumpOptions,
    out: { type: 'string', value: 'FILE', says: 'Where to write; stdout without it.' },
    all: { type: 'boolean', says: 'Those that the policy binds already, too.' },
    config: configOption,
  },
  run: runDiscover,
};

async function runDiscover(context: Context): Promise<ExitCode> {
  const point = context.required('point');
  const known = await knownObjects(context, point);
  const out = context.text('out') ?? '-';
  if (out !== '-') await refuseExisting(out);
  const servers = discoverServers(await readNginxDump(context));
  const left = context.flag('all') ? [] : servers.filter(({ bind }) => known.bound.has(bind));
  const shown = servers.filter((server) => !left.includes(server)).map(asVirtual);
  const virtuals = namedVirtuals(shown, known.bound, known.taken);
  const unit = context.text('dump') ?? `${context.text('nginx') ?? 'nginx'} -T`;
  const text = documentsText({ what: 'Servers', point, unit, virtuals, left: left.length });
  if (out !== '-') await writeDocuments(out, text);
  const documents = virtuals.filter(({ object }) => object !== null).length;
  if (context.json) {
    const servers = virtuals.map(({ server, name, bound }) => ({ ...server, name, bound }));
    await context.printJson({ point, unit, servers, file: out === '-' ? null : out });
  } else if (out === '-') await context.out.write(text);
  else await context.out.write(`wrote ${counted(documents, 'document')} to ${out}\n`);
  return 0;
}

interface KnownObjects {
  /** By `bind`, the name of the document; of this point. */
  bound: ReadonlyMap<string, string>;
  /** Names that no other may get. */
  taken: readonly string[];
}

/** Only what is named and bound counts here: whoever begins has no sound policy yet, or none at all. */
async function knownObjects(context: Context, point: string): Promise<KnownObjects> {
  const config = await configIn(context);
  if (config === null) return { bound: new Map(), taken: [] };
  const { model } = (await readPolicy(context, config.policies)).resolution;
  const own = model.virtualServers.filter(({ value }) => value.point === point);
  return {
    bound: new Map(own.map(({ value }) => [value.bind, value.name])),
    taken: [...model.workloads, ...model.virtualServers].map(({ value }) => value.name),
  };
}

/** null: there is none yet, and none was named. */
async function configIn(context: Context): Promise<ServiceConfig | null> {
  const file = context.text('config');
  return await loadServiceConfig({ file, env: context.env }).catch((thrown: unknown) => {
    if (file === undefined && thrown instanceof EdgewardError && thrown.code === 'EDW_ERR_CONFIG_FILE') return null;
    throw thrown;
  });
}

function asVirtual(server: DiscoveredServer) {
  const { bind, title, file, line, object, remarks } = server;
  return { server, fullPath: bind, title: `${title} (${file}:${line})`, object, remarks };
}
