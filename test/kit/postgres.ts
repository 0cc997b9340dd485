/**
 * A private PostgreSQL server for a test, of Debian's package or of the folder that EDGEWARD_POSTGRES_BIN names: a folder of
 * its own, a port on loopback, passwords asked for, nothing shared with a server of this machine. PostgreSQL refuses to run
 * as root, so that root's tests run it as another user. Nothing of it survives its parent.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type pg from 'pg';
import type { Teardown } from './edge.ts';
import { freePort } from './free-port.ts';
import { type LoopbackServer, startLoopbackServer } from './loopback-server.ts';

export interface Postgres {
  readonly host: string;
  readonly port: number;
  /** May do everything. */
  readonly user: string;
  /** Empty at first. */
  readonly database: string;
  /** Mode 0600. */
  readonly passwordFile: string;
  /** SIGKILL to the server and to each of its processes; they are gone when it resolves. */
  kill(): Promise<void>;
  /** On the same folder and port, also after a kill; it answers when it resolves. */
  restart(): Promise<void>;
  /** As the user of above, in `database` unless told. */
  sql(text: string, values?: readonly unknown[], database?: string): Promise<Record<string, unknown>[]>;
  /** A session that stays, over this port: that of whatever stands before the server. The teardown ends it. */
  session(port: number): Promise<PostgresSession>;
  /** One more, empty, and its name. `template`: a copy of that one, which nobody may use meanwhile. */
  createDatabase(template?: string): Promise<string>;
}

export interface PostgresSession {
  sql(text: string): Promise<Record<string, unknown>[]>;
}

export interface PostgresOptions {
  /** Lines of postgresql.conf, after ours. */
  configuration?: readonly string[];
  /** Default true. Without, a commit waits for no disk: for tests that kill nothing. */
  fsync?: boolean;
  /** The server has this certificate, and refuses who comes without TLS. */
  tls?: { certFile: string; keyFile: string };
}

const run = promisify(execFile);
const user = 'admin';
const database = 'edgeward';
const installed = '/usr/lib/postgresql';
const startTimeoutMs = 60_000;

/** The folder with `initdb` and `postgres`, of the newest that is installed; null: there is none. */
export function postgresPrograms(): string | null {
  const named = process.env.EDGEWARD_POSTGRES_BIN;
  const versions = existsSync(installed) ? readdirSync(installed).toSorted((a, b) => Number(b) - Number(a)) : [];
  const folders = named === undefined ? versions.map((version) => join(installed, version, 'bin')) : [named];
  return folders.find((folder) => existsSync(join(folder, 'initdb'))) ?? null;
}

/** Where none can be had the whole test file is skipped with the reason, but never in CI. */
export function requirePostgres(t: { plan(count: number, reason: string): unknown }): void {
  if (postgresPrograms() !== null) return;
  const reason = 'PostgreSQL is missing: apt install postgresql';
  if (process.env.CI !== undefined) throw new Error(reason);
  t.plan(0, reason);
  process.exit(0);
}

export async function startPostgres(t: Teardown, options: PostgresOptions = {}): Promise<Postgres> {
  const programs = postgresPrograms();
  if (programs === null) throw new Error('PostgreSQL is missing: apt install postgresql');
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-postgres-'));
  let server: LoopbackServer | null = null;
  const kill = async (): Promise<void> => {
    const running = server;
    server = null;
    if (running !== null) await killAll(running);
  };
  t.teardown(async () => {
    await kill();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  const [password, passwordFile, port] = [randomBytes(16).toString('hex'), join(folder, 'password'), await freePort()];
  const asUser = await unprivileged();
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  await makeCluster({ folder, programs, passwordFile, asUser, port, options });

  const { Client } = (await import('pg')).default;
  const client = (name: string, at = port): pg.Client =>
    new Client({
      ...{ host: '127.0.0.1', port: at, user, password, database: name },
      ssl: options.tls === undefined ? false : { rejectUnauthorized: false },
    });
  const sql: Postgres['sql'] = async (text, values = [], name = database) => {
    const connected = client(name);
    // A server that is killed says so on every connection that it had.
    connected.on('error', () => {});
    await connected.connect();
    try {
      const { rows } = await connected.query(text, [...values]);
      return rows;
    } finally {
      await connected.end();
    }
  };
  const start = async (): Promise<void> => {
    const command = [...asUser, join(programs, 'postgres'), '-D', join(folder, 'data')];
    server = await startLoopbackServer({ name: 'postgres', command, logFile: join(folder, 'log'), port });
    await answering(() => sql('SELECT 1', [], 'postgres'));
  };
  await start();
  await sql(`CREATE DATABASE ${database}`, [], 'postgres');
  let databases = 0;
  return {
    ...{ host: '127.0.0.1', port, user, database, passwordFile, kill, sql },
    async restart() {
      await kill();
      await start();
    },
    async session(at) {
      const connected = client(database, at);
      connected.on('error', () => {});
      t.teardown(() => connected.end());
      await connected.connect();
      return { sql: async (text) => (await connected.query(text)).rows };
    },
    async createDatabase(template) {
      databases += 1;
      const name = `edgeward_${databases}`;
      const copied = template === undefined ? '' : ` TEMPLATE ${template}`;
      await sql(`CREATE DATABASE ${name}${copied}`, [], 'postgres');
      return name;
    },
  };
}

/** In front of each command. util-linux has `setpriv`, and every Debian has that. */
async function unprivileged(): Promise<string[]> {
  if (process.getuid?.() !== 0) return [];
  const known = await readFile('/etc/passwd', 'utf8');
  const [name, group] = /^postgres:/m.test(known) ? ['postgres', 'postgres'] : ['nobody', 'nogroup'];
  return ['setpriv', `--reuid=${name}`, `--regid=${group}`, '--clear-groups', '--'];
}

interface Cluster {
  folder: string;
  programs: string;
  passwordFile: string;
  asUser: readonly string[];
  port: number;
  options: PostgresOptions;
}

async function makeCluster({ folder, programs, passwordFile, asUser, port, options }: Cluster): Promise<void> {
  const data = join(folder, 'data');
  const owner = asUser[1]?.split('=')[1];
  if (owner !== undefined) await run('chown', [owner, folder, passwordFile]);
  const [program = '', ...args] = [
    ...asUser,
    join(programs, 'initdb'),
    ...['-D', data, '-U', user, '--auth=scram-sha-256', `--pwfile=${passwordFile}`],
    ...['--no-locale', '--encoding=UTF8', '--no-instructions', '--no-sync'],
  ];
  await run(program, args);
  const lines = [
    "listen_addresses = '127.0.0.1'",
    `port = ${port}`,
    "unix_socket_directories = ''",
    'shared_buffers = 64MB',
    `fsync = ${options.fsync === false ? 'off' : 'on'}`,
    ...(options.tls === undefined ? [] : ['ssl = on', "ssl_cert_file = 'server.pem'", "ssl_key_file = 'server.key'"]),
    ...(options.configuration ?? []),
  ];
  await writeFile(join(data, 'postgresql.conf'), `${lines.join('\n')}\n`, { flag: 'a' });
  if (options.tls === undefined) return;
  await writeFile(join(data, 'pg_hba.conf'), 'hostssl all all 127.0.0.1/32 scram-sha-256\n');
  for (const [from, name] of [
    [options.tls.certFile, 'server.pem'],
    [options.tls.keyFile, 'server.key'],
  ] as const) {
    await copyFile(from, join(data, name));
    if (owner !== undefined) await run('chown', [owner, join(data, name)]);
  }
}

/** Its processes outlive it for a moment, and nobody starts on their folder meanwhile. */
async function killAll(server: LoopbackServer): Promise<void> {
  const { pid } = server;
  const listed = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  await server.kill();
  const children = listed.split(' ').map(Number).filter(Boolean);
  for (const child of children) send('SIGKILL', child);
  for (let i = 0; i < 1_000 && children.some((child) => send(0, child)); i += 1) await sleep(10);
}

/** false: there is no such process. */
function send(signal: 'SIGKILL' | 0, pid: number): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

/** It listens before it has recovered from a kill. */
async function answering(ask: () => Promise<unknown>): Promise<void> {
  for (const deadline = Date.now() + startTimeoutMs; ; await sleep(20)) {
    try {
      await ask();
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}
