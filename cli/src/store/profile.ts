/**
 * A person's side of a store: the profile file, with what the command line says instead. Relative paths of the file are
 * relative to it, those of the command line to where it is typed. No environment variable is read: who somebody is to a
 * store should not depend on a shell.
 */
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { yamlDocuments } from '@edgeward/policy-source';
import { EdgewardError, loadConfig, messageOf, systemCodeOf } from '@edgeward/runtime';
import type { Context, Option } from '../frame/command.ts';
import { usageError } from '../frame/usage-error.ts';
import { type ProfileInput, profileSchema } from './profile-schema.ts';

export interface Profile {
  /** Without a final slash. */
  url: string;
  certFile: string;
  keyFile: string;
  caFile: string;
  rootFile: string;
  signingKeyFile: string | null;
  passphraseFile: string | null;
}

const FLAGS: Record<keyof ProfileInput, { option: string; value: string; says: string }> = {
  url: { option: 'url', value: 'URL', says: 'https://HOST:PORT of the store.' },
  certFile: { option: 'cert', value: 'FILE', says: 'Certificate that names you.' },
  keyFile: { option: 'cert-key', value: 'FILE', says: 'Its key.' },
  caFile: { option: 'ca', value: 'FILE', says: "Authority of the store's certificate." },
  rootFile: { option: 'pinned-root', value: 'FILE', says: 'The trust root that you pinned.' },
  signingKeyFile: { option: 'signing-key', value: 'FILE', says: 'Your private key for proposals and approvals.' },
  passphraseFile: { option: 'passphrase-file', value: 'FILE', says: 'Its passphrase, where it is sealed.' },
};

export const profileOptions: Record<string, Option> = {
  profile: {
    type: 'string',
    value: 'FILE',
    says: 'url, certFile, keyFile, caFile, rootFile, signingKeyFile, passphraseFile; ~/.config/edgeward/store.yaml.',
  },
  ...Object.fromEntries(
    Object.values(FLAGS).map(({ option, value, says }) => [option, { type: 'string', value, says } as Option]),
  ),
};

/** Throws EDW_ERR_CONFIG, EDW_ERR_CONFIG_FILE, EDW_ERR_USAGE for what is missing. */
export async function readProfile(context: Context, command: string): Promise<Profile> {
  const path = context.text('profile') ?? defaultPath(context.env);
  const given = flagsOf(context);
  const named = context.flag('profile');
  const found = path === null ? null : await readYaml(path, named);
  const read = loadConfig({ schema: profileSchema, value: found, env: {}, ...(path === null ? {} : { file: path }) });
  const base = path === null ? '.' : dirname(resolve(path));
  const fromFile = Object.fromEntries(
    Object.entries(read).map(([key, text]) => [key, key === 'url' || text === undefined ? text : resolve(base, text)]),
  ) as ProfileInput;
  return complete({ ...fromFile, ...given }, command);
}

function complete(input: ProfileInput, command: string): Profile {
  const missing = (['url', 'certFile', 'keyFile', 'caFile', 'rootFile'] as const).filter(
    (key) => input[key] === undefined,
  );
  const { url = '', certFile = '', keyFile = '', caFile = '', rootFile = '' } = input;
  if (missing.length > 0) {
    const flags = missing.map((key) => `--${FLAGS[key].option}`).join(', ');
    throw usageError(
      `the store is not known whole: ${missing.join(', ')}`,
      command,
      `Write a profile with these keys, or give ${flags}.`,
    );
  }
  const { signingKeyFile = null, passphraseFile = null } = input;
  return { url: url.replace(/\/$/, ''), certFile, keyFile, caFile, rootFile, signingKeyFile, passphraseFile };
}

/** Looked at by the same schema as the file. */
function flagsOf(context: Context): ProfileInput {
  const given = Object.entries(FLAGS).flatMap(([key, { option }]) => {
    const text = context.text(option);
    return text === undefined ? [] : [[key, text] as const];
  });
  return loadConfig({ schema: profileSchema, value: Object.fromEntries(given), env: {}, file: 'the command line' });
}

function defaultPath(env: Context['env']): string | null {
  const folder = env.XDG_CONFIG_HOME ?? (env.HOME === undefined ? null : join(env.HOME, '.config'));
  return folder === null ? null : join(folder, 'edgeward', 'store.yaml');
}

/** Null where nobody named it and it is not there. */
async function readYaml(path: string, named: boolean): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (!named && systemCodeOf(cause) === 'ENOENT') return null;
    throw fileError(path, messageOf(cause), cause);
  }
  const { documents, findings } = yamlDocuments(text, path);
  const [finding] = findings;
  if (finding !== undefined) throw fileError(path, `line ${finding.line}: ${finding.message}`);
  if (documents.length > 1) throw fileError(path, 'it holds more than one document');
  // Documents are read into objects without a prototype, which zod does not take for records.
  return JSON.parse(JSON.stringify(documents[0]?.value ?? null)) as unknown;
}

function fileError(path: string, why: string, cause?: unknown): EdgewardError {
  return new EdgewardError('EDW_ERR_CONFIG_FILE', `reading ${path}: ${why}`, {
    mend: 'Name the profile by --profile FILE: url, certFile, keyFile, caFile, rootFile, and signingKeyFile to sign.',
    ...(cause === undefined ? {} : { cause }),
  });
}
