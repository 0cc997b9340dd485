/** `edgeward store init`: a folder becomes a store, with its keys, its first trust root and its certificate authority. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { initStore } from '@edgeward/central-store';
import {
  type Digest,
  digestOfRoot,
  generateSigningKey,
  type Person,
  type Thresholds,
  type TrustRoot,
  trustRootOf,
} from '@edgeward/policy-format';
import { createLogger, EdgewardError, systemClock, systemCodeOf, writeDurably } from '@edgeward/runtime';
import type { Command, Context } from '../../frame/command.ts';
import type { ExitCode } from '../../frame/exit-codes.ts';
import { makeAuthority, serverFolder, writeCertificate } from './authority-folder.ts';
import { daysOption, readDays } from './days-option.ts';
import { firstRoot } from './handed-over.ts';
import { initText } from './init-text.ts';
import { readPeople } from './people-option.ts';
import { LOCAL_HOSTS, writeServeConfig } from './serve-config.ts';
import { readThresholds, thresholdOptions } from './thresholds-option.ts';

export const init: Command = {
  name: 'store init',
  summary: 'Make a store in a folder.',
  help: {
    examples: [
      {
        line: 'edgeward store init /var/lib/edgeward-store --host store.example --person ada:author=ada.key.pub --person ben:approver,publisher=ben.key.pub --person cyn:approver=cyn.key.pub',
        says: 'Ada proposes, Ben and Cyn approve, Ben publishes.',
      },
    ],
    usage: [
      'DIR --person NAME:ROLE,…[=FILE.pub]... [--host NAME]... [--approvals N] [--approvals-with-risk N] [--approvals-of-root N] [--break-glass-hours N] [--days N] [--dry-run] [--json]',
    ],
    about: [
      'Roles are viewer, author, approver, publisher and auditor; whoever is author or approver needs a public key, made with `edgeward store key`. Nobody approves what is their own, so an author who is an approver does not count for that change. Thresholds that these people could not reach are refused. Name one approver more than a new trust root asks for: with none to spare, a key that is lost can never be replaced.',
      'DIR must be empty or new. It gets keys/ (of the store alone), roots/1.json (the first trust root: what points and people pin), record/, authority/ (issues certificates), tls/ (what the server shows), inventory/ (where machines write workloads) and edgeward-store.yaml for `edgeward store serve`. The fingerprint that is printed is that of the first trust root; tell it to people by another way than the file.',
      'JSON: {store, dir, root: {version, digest, file}, people: [{name, roles, kids}], thresholds, hosts, certificate, config}; dir, file, certificate and config are null in a dry run.',
    ],
    exits: {
      2: 'the command line is wrong',
      3: 'people and thresholds do not fit: nobody could ever change anything',
      78: 'DIR is not empty, or a public key can not be read',
    },
  },
  args: ['DIR'],
  options: {
    person: {
      type: 'string',
      value: 'NAME:ROLE,…[=FILE.pub]',
      says: 'A person, with roles and public key.',
      multiple: true,
    },
    host: {
      type: 'string',
      value: 'NAME',
      says: 'Name or address that the store is reached under; localhost without it.',
      multiple: true,
    },
    ...thresholdOptions,
    days: daysOption,
    'dry-run': { type: 'boolean', says: 'Check people and thresholds, and write nothing.' },
  },
  run: runInit,
};

/** What `store init` made, or would make. */
export interface InitAnswer {
  store: string | null;
  dir: string | null;
  root: { version: number; digest: Digest | null; file: string | null };
  people: { name: string; roles: readonly string[]; kids: string[] }[];
  thresholds: Thresholds;
  hosts: string[];
  certificate: string | null;
  config: string | null;
}

async function runInit(context: Context): Promise<ExitCode> {
  const [dir = ''] = context.args;
  const people = await readPeople(context.texts('person'), 'store init');
  const thresholds = readThresholds(context, 'store init');
  const hosts = context.texts('host');
  const wanted: Wanted = {
    dir,
    people,
    thresholds,
    hosts: hosts.length === 0 ? [...LOCAL_HOSTS] : hosts,
    days: readDays(context, 'store init'),
  };
  const answer = context.flag('dry-run') ? await rehearse(wanted) : await make(wanted, context.now());
  if (context.json) await context.printJson(answer);
  else await context.out.write(initText(answer, dir, context.paint));
  return 0;
}

interface Wanted {
  dir: string;
  people: Person[];
  thresholds: Thresholds;
  hosts: string[];
  days: number;
}

async function make(wanted: Wanted, nowMs: number): Promise<InitAnswer> {
  const { dir, people, thresholds, hosts, days } = wanted;
  // Before a key is made: a folder with half a store is worse than none.
  await checkRoot(wanted);
  const logger = createLogger({ level: 'silent' });
  const made = await initStore({ dir, people, thresholds, clock: systemClock, logger });
  const authority = await makeAuthority(dir, nowMs);
  const certificate = { uris: [], hosts, days, server: true, nowMs };
  const files = await writeCertificate(authority, certificate, serverFolder(dir), 'server');
  // Beside the server's own files, as what people and points are handed: the authority and the root that they pin.
  const file = join(dir, 'root.json');
  await writeDurably(file, await firstRoot(dir), { mode: 0o644 });
  const config = await writeServeConfig(dir, hosts);
  return {
    ...said(wanted),
    store: made.store,
    dir,
    root: { version: 1, digest: made.digest, file },
    certificate: files.certFile,
    config,
  };
}

async function rehearse(wanted: Wanted): Promise<InitAnswer> {
  await requireEmpty(wanted.dir);
  const root = await checkRoot(wanted);
  return {
    ...said(wanted),
    store: null,
    dir: null,
    root: { version: root.version, digest: null, file: null },
    certificate: null,
    config: null,
  };
}

function said({ people, thresholds, hosts }: Wanted): Pick<InitAnswer, 'people' | 'thresholds' | 'hosts'> {
  const shown = people.map(({ name, roles, keys }) => ({ name, roles, kids: keys.map(({ kid }) => kid) }));
  return { people: shown, thresholds, hosts };
}

/** With keys of the store that nobody keeps. Throws EDW_ERR_ROOT_…, EDW_ERR_FORMAT_ROOT. */
async function checkRoot({ people, thresholds }: Wanted): Promise<TrustRoot> {
  const [storeKey, logKey] = await Promise.all([generateSigningKey(), generateSigningKey()]);
  const root = trustRootOf({
    typ: 'edgeward-root/1',
    store: '0'.repeat(32),
    version: 1,
    epoch: 1,
    previous: null,
    issuedAt: new Date(0).toISOString(),
    people,
    thresholds,
    storeKeys: [storeKey.publicKey],
    logKeys: [logKey.publicKey],
  } satisfies TrustRoot);
  digestOfRoot(root);
  return root;
}

async function requireEmpty(dir: string): Promise<void> {
  const names = await readdir(dir).catch((thrown: unknown) => {
    if (systemCodeOf(thrown) === 'ENOENT') return [];
    throw thrown;
  });
  const [first] = names;
  if (first === undefined) return;
  throw new EdgewardError('EDW_ERR_STORE_FOLDER', `making a store in ${dir}: it is not empty: ${first}`, {
    mend: 'Name a folder that is empty, or one that is not there yet.',
  });
}
