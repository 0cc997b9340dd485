/**
 * How a server is reached: the password comes from a file and stands in no address and no log, and is read for each
 * connection, so that it can be changed. On loopback, or by the path of a socket, in clear; everywhere else by TLS, with a
 * certificate that is checked, unless somebody said otherwise, and whatever the environment of this process says.
 */
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { EdgewardError, messageOf, readSecret } from '@edgeward/runtime';
import pg from 'pg';

export interface PostgresAccess {
  /** A name, an address, or the folder of a socket. */
  host: string;
  port: number;
  database: string;
  user: string;
  passwordFile: string;
  /** PEM with the authority of the server's certificate; the system's authorities unless told. With it, TLS everywhere. */
  caFile?: string | undefined;
  /** Without TLS beyond loopback as well. */
  clearText: boolean;
}

/** What a session is set to, in milliseconds. */
export interface SessionLimits {
  /** The server ends what takes longer; half of it more, and the connection counts as lost. */
  statementMs: number;
  /** How long to wait for whoever writes. */
  lockMs: number;
  readOnly: boolean;
}

const connectTimeoutMs = 5_000;

/** Throws EDW_ERR_SECRET_FILE and EDW_ERR_CA_FILE; asks no server. */
export async function connectionsTo(access: PostgresAccess, limits: SessionLimits, most: number): Promise<pg.Pool> {
  const { host, port, database, user, passwordFile } = access;
  await readSecret(passwordFile);
  const pool = new pg.Pool({
    ...{ host, port, database, user, max: most },
    password: () => readSecret(passwordFile),
    ssl: isClear(access) ? false : await tlsFor(access),
    options: settingsOf(limits),
    application_name: 'edgeward',
    query_timeout: limits.statementMs * 1.5,
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    idleTimeoutMillis: 0,
    allowExitOnIdle: true,
    types: typesOf(),
  });
  // Whoever asks next finds out, and has a connection of its own made: one can end between two questions of a transaction too.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

/** Whoever names an authority wants TLS, wherever the server is. */
const isClear = ({ host, caFile, clearText }: PostgresAccess): boolean =>
  caFile === undefined && (clearText || isHere(host));

const isHere = (host: string): boolean =>
  host.startsWith('/') || host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));

async function tlsFor({ caFile }: PostgresAccess): Promise<pg.ClientConfig['ssl']> {
  if (caFile === undefined) return { rejectUnauthorized: true, minVersion: 'TLSv1.2' };
  try {
    return { ca: await readFile(caFile, 'utf8'), rejectUnauthorized: true, minVersion: 'TLSv1.2' };
  } catch (thrown) {
    throw new EdgewardError('EDW_ERR_CA_FILE', `reading the authority of PostgreSQL, ${caFile}: ${messageOf(thrown)}`, {
      cause: thrown,
      mend: 'Put the PEM certificate of the authority that signed the certificate of the server there, or name it as `caFile`.',
    });
  }
}

function settingsOf({ statementMs, lockMs, readOnly }: SessionLimits): string {
  const settings: Record<string, string | number> = {
    search_path: 'edgeward_ledger,pg_temp',
    timezone: 'UTC',
    jit: 'off',
    // A commit that is answered is on the disk, whatever the server's default is.
    ...(readOnly ? { default_transaction_read_only: 'on' } : { synchronous_commit: 'on' }),
    statement_timeout: statementMs,
    lock_timeout: lockMs,
    idle_in_transaction_session_timeout: statementMs,
  };
  return Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(' ');
}

/** Counts are at most as large as a number is exact. */
function typesOf(): pg.CustomTypesConfig {
  const types = new pg.TypeOverrides();
  types.setTypeParser(pg.types.builtins.INT8, Number);
  return types;
}
