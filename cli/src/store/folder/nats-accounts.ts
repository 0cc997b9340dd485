/** `edgeward store nats-accounts`: who may do what in NATS, as `nats-server` reads it. It asks nobody and writes nothing. */
import { loadStoreConfig } from '@edgeward/central-store';
import { type NatsUser, natsAccounts, readNatsCredentials } from '@edgeward/policy-feed';
import { isName } from '@edgeward/policy-format';
import { EdgewardError } from '@edgeward/runtime';
import type { Command, Context } from '../../frame/command.ts';
import type { ExitCode } from '../../frame/exit-codes.ts';
import { usageError } from '../../frame/usage-error.ts';

export const natsAccountsCommand: Command = {
  name: 'store nats-accounts',
  summary: 'Print users and rights for NATS.',
  help: {
    examples: [
      {
        line: 'edgeward store nats-accounts --config edgeward-store.yaml --service edge-1.credentials=edge-1 --service site-2.credentials=edge-2,dc1 > accounts.conf',
        says: 'The store, and two services with their points. `include accounts.conf` on every node.',
      },
      {
        line: 'edgeward store nats-accounts --store UDXU… --service UB7Q…=edge-1 > accounts.conf',
        says: 'By nkeys, as `nk -gen user -pubout` makes them: then nothing in it is secret.',
      },
    ],
    usage: ['[--config FILE | --store LOGIN] --service LOGIN=POINT,…... [--json]'],
    about: [
      'The block `accounts { … }`, the same on every node. Each user reads the subjects of its own points, reports for them, and nothing else; the store writes what is published. Without --store the login of the store is `nats.credentialsFile` of its configuration.',
      'LOGIN is the public part of an nkey (U…), or the file that the service itself names as `credentialsFile`, with one line `user:password`. Passwords stand in what is printed: keep it closed to others, or put the bcrypt hash of `nats server passwd` in their place.',
      'JSON: {configuration, store, services: [{login, points}]}; `store` and `login` are {user} or {nkey}.',
    ],
    exits: {
      2: 'the command line is wrong, or two of them have one login',
      78: 'the configuration, or a file with credentials, is unusable',
    },
  },
  args: [],
  options: {
    config: { type: 'string', value: 'FILE', says: 'Of the store. Default: ./edgeward-store.yaml.' },
    store: { type: 'string', value: 'LOGIN', says: 'Login of the store; its configuration is not read then.' },
    service: {
      type: 'string',
      value: 'LOGIN=POINT,…',
      says: 'Login of a sync service, and the points that it serves.',
      multiple: true,
    },
  },
  run: runNatsAccounts,
};

interface Service {
  login: NatsUser;
  points: string[];
}

async function runNatsAccounts(context: Context): Promise<ExitCode> {
  const given = context.texts('service').map(serviceIn);
  if (given.length === 0) throw wrong('no service is named', 'Add --service LOGIN=POINT for each.');
  const store = await loginOf(context.text('store') ?? (await configuredLogin(context)));
  const services: Service[] = [];
  for (const { login, points } of given) services.push({ login: await loginOf(login), points });
  requireDistinct([store, ...services.map(({ login }) => login)]);
  const configuration = natsAccounts({ store, points: services });
  if (!context.json) await context.out.write(configuration);
  else
    await context.printJson({
      configuration,
      store: withoutPassword(store),
      services: services.map(({ login, points }) => ({ login: withoutPassword(login), points })),
    });
  return 0;
}

/** At the last `=`: a path may hold one, and no name of a point does. */
function serviceIn(text: string): { login: string; points: string[] } {
  const at = text.lastIndexOf('=');
  const points = text.slice(at + 1).split(',');
  if (at < 1) throw wrong(`--service: '${text}' names no points`, 'Write LOGIN=edge-1,edge-2.');
  // Names become parts of subjects: one with a `*` would be the right to read everybody's.
  const bad = points.find((point) => !isName(point));
  if (bad !== undefined) throw wrong(`--service: '${bad}' is no name of a point`, 'Write LOGIN=edge-1,edge-2.');
  return { login: text.slice(0, at), points };
}

async function configuredLogin(context: Context): Promise<string> {
  const { nats } = await loadStoreConfig({ file: context.text('config'), env: context.env });
  if (nats !== null) return nats.credentialsFile;
  throw wrong('the configuration of the store has no `nats`', 'Add it, or name the login of the store by --store.');
}

const PUBLIC_NKEY = /^U[A-Z2-7]{55}$/;

/** Throws EDW_ERR_NATS_CREDENTIALS, EDW_ERR_SECRET_FILE. */
async function loginOf(text: string): Promise<NatsUser> {
  if (PUBLIC_NKEY.test(text)) return { nkey: text };
  const credentials = await readNatsCredentials(text);
  if (credentials.kind !== 'password')
    throw unusable(
      text,
      'it holds no `user:password`',
      'Name an nkey by its public part: U… in the place of the file.',
    );
  const { user, password } = credentials;
  // The server knows none of the escapes that JSON has for them.
  if (/\p{Cc}/u.test(user + password))
    throw unusable(text, 'a control character is in it', 'Write it anew, with characters that can be typed.');
  return { user, password };
}

function requireDistinct(logins: readonly NatsUser[]): void {
  const names = logins.map((login) => ('nkey' in login ? login.nkey : login.user));
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    throw wrong(`two of them log in as '${twice}'`, 'Give each its own, or name all points of one in one --service.');
}

function withoutPassword(login: NatsUser): { nkey: string } | { user: string } {
  return 'nkey' in login ? login : { user: login.user };
}

function wrong(what: string, hint: string): EdgewardError {
  return usageError(what, 'store nats-accounts', hint);
}

function unusable(file: string, why: string, mend: string): EdgewardError {
  return new EdgewardError('EDW_ERR_NATS_CREDENTIALS', `reading the NATS credentials in ${file}: ${why}`, { mend });
}
