/** `edgeward store certificate`: certificates of the store's own authority, for people, points and the server. */
import { isName } from '@edgeward/policy-format';
import type { Command, Context } from '../../frame/command.ts';
import type { ExitCode } from '../../frame/exit-codes.ts';
import { printable } from '../../frame/terminal-text.ts';
import { usageError } from '../../frame/usage-error.ts';
import { filesIn, storeAuthority, type Wanted, writeCertificate } from './authority-folder.ts';
import { daysOption, readDays } from './days-option.ts';
import { handOver } from './handed-over.ts';

export const certificate: Command = {
  name: 'store certificate',
  summary: "Issue a certificate from the store's authority.",
  help: {
    examples: [
      {
        line: 'edgeward store certificate /var/lib/edgeward-store --person ada --out ada-tls',
        says: 'For Ada: ada.pem, ada-key.pem, store-ca.pem, root.json and a profile, store.yaml.',
      },
      {
        line: 'edgeward store certificate /var/lib/edgeward-store --point edge-1 --point edge-2 --out site-1',
        says: 'For one sync service with two points; it gets their policy and no other.',
      },
      {
        line: 'edgeward store certificate /var/lib/edgeward-store --server --host store.example --out /var/lib/edgeward-store/tls',
        says: 'Renews what the server shows; it is read again without a restart.',
      },
    ],
    usage: [
      'DIR --person NAME --out FOLDER [--url URL] [--signing-key FILE] [--days N] [--dry-run] [--json]',
      'DIR --point NAME... --out FOLDER [--days N] [--dry-run] [--json]',
      'DIR --server --host NAME... --out FOLDER [--days N] [--dry-run] [--json]',
    ],
    about: [
      'A certificate says who connects, and nothing about policy: roles and signing keys stand in the trust root. The authority keeps no list and revokes nothing; a person is removed from the trust root, a point by taking its objects out of the policy.',
      'Files of the same name in FOLDER are replaced, so that this renews as well; a profile that is there stays. The key is written with mode 0600: carry it over a way that you trust.',
      'JSON: {uris, hosts, days, certFile, keyFile, caFile, rootFile, profile}; the files are null in a dry run, and what the server does not need too.',
    ],
    exits: { 2: 'the command line is wrong, or FOLDER can not be written', 78: 'DIR has no authority' },
  },
  args: ['DIR'],
  options: {
    person: { type: 'string', value: 'NAME', says: 'As the trust root names them.', multiple: true },
    point: { type: 'string', value: 'NAME', says: 'A point; several for one service.', multiple: true },
    server: { type: 'boolean', says: 'For the store itself.' },
    host: { type: 'string', value: 'NAME', says: 'Name or address that it is reached under.', multiple: true },
    out: { type: 'string', value: 'FOLDER', says: 'Where the files go.' },
    url: { type: 'string', value: 'URL', says: 'For the profile: where this person reaches the store.' },
    'signing-key': {
      type: 'string',
      value: 'FILE',
      says: 'For the profile: where this person keeps their private key.',
    },
    days: daysOption,
    'dry-run': { type: 'boolean', says: 'Say what would be issued, and write nothing.' },
  },
  run: runCertificate,
};

async function runCertificate(context: Context): Promise<ExitCode> {
  const [dir = ''] = context.args;
  const folder = context.required('out');
  const { name, ...holder } = holderOf(context);
  const days = readDays(context, 'store certificate');
  const authority = await storeAuthority(dir);
  const wanted: Wanted = { ...holder, days, nowMs: context.now() };
  const dry = context.flag('dry-run');
  const files = dry ? null : await writeCertificate(authority, wanted, folder, name);
  const person = context.flag('person') ? { url: context.text('url'), signingKey: context.text('signing-key') } : null;
  const beside = files === null || holder.server ? null : await handOver(dir, folder, files, person);
  const { certFile, keyFile, caFile } = filesIn(folder, name);
  if (context.json) {
    const none = { certFile: null, keyFile: null, caFile: null };
    const { rootFile = null, profile = null } = beside ?? {};
    await context.printJson({ uris: holder.uris, hosts: holder.hosts, days, ...(files ?? none), rootFile, profile });
    return 0;
  }
  const what = `${[...holder.uris, ...holder.hosts].join(', ')}, for ${days} days`;
  const written = [certFile, keyFile, caFile, ...(beside === null ? [] : [beside.rootFile, beside.profile ?? ''])];
  const listed = written.filter((path) => path !== '').join(', ');
  await context.out.write(`${printable(`${dry ? 'would write' : 'wrote'} ${listed}: ${what}`)}\n`);
  return 0;
}

interface Holder {
  /** Of the files. */
  name: string;
  uris: string[];
  hosts: string[];
  server: boolean;
}

/** Throws EDW_ERR_USAGE. */
function holderOf(context: Context): Holder {
  const [people, points] = [names(context, 'person'), names(context, 'point')];
  const server = context.flag('server');
  const hosts = context.texts('host');
  const kinds = [people.length > 0, points.length > 0, server].filter((it) => it).length;
  if (kinds !== 1 || people.length > 1)
    throw usageError('a certificate is for one person, for points, or for the server', 'store certificate');
  if (server !== hosts.length > 0)
    throw usageError('--server and --host belong together', 'store certificate', 'Name each host it is reached under.');
  const [person] = people;
  const uris =
    person === undefined ? points.map((point) => `urn:edgeward:point:${point}`) : [`urn:edgeward:person:${person}`];
  return { name: server ? 'server' : (person ?? points[0] ?? ''), uris, hosts, server };
}

function names(context: Context, option: string): string[] {
  const given = context.texts(option);
  const bad = given.find((name) => !isName(name));
  if (bad !== undefined) throw usageError(`--${option}: '${bad}' is no name`, 'store certificate');
  return given;
}
