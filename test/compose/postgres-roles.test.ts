/** The roles of PostgreSQL in docker-compose.yml, made in a real server by the script that makes them there. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import t from 'tap';
import { postgresPrograms, requirePostgres, startPostgres } from '../kit/postgres.ts';
import { root } from './docker-here.ts';

requirePostgres(t);
const passwords = { ledger: 'of-the-ledger', reader: 'of-the-reader' };
const server = await startPostgres(t, { fsync: false });
await firstStart();

async function firstStart(): Promise<void> {
  const secrets = t.testdir({
    'ledger-password': `${passwords.ledger}\n`,
    'reader-password': `${passwords.reader}\n`,
  });
  const script = readFileSync(join(root, 'docker/postgres/first-start.sh'), 'utf8');
  const env = {
    PATH: `${postgresPrograms()}:${process.env.PATH}`,
    ...{ POSTGRES_USER: server.user, POSTGRES_DB: server.database },
    ...{ PGHOST: server.host, PGPORT: String(server.port) },
    PGPASSWORD: readFileSync(server.passwordFile, 'utf8').trim(),
  };
  await promisify(execFile)('sh', ['-c', script.replaceAll('/run/edgeward/postgres', secrets)], { env });
}

async function connected(user: string, password: string): Promise<pg.Client> {
  const { host, port, database } = server;
  const client = new pg.Client({ host, port, database, user, password });
  t.teardown(() => client.end().catch(() => {}));
  await client.connect();
  return client;
}

t.test(
  'whoever looks at dashboards holds up no ledger: few connections, little time, and nothing written',
  async (t) => {
    const reader = await connected('edgeward_reader', passwords.reader);
    for (const [setting, value] of [
      ['statement_timeout', '20s'],
      ['default_transaction_read_only', 'on'],
    ]) {
      t.strictSame((await reader.query(`SHOW ${setting}`)).rows, [{ [`${setting}`]: value }]);
    }
    await reader.query('SET default_transaction_read_only = off');
    for (const forbidden of ['CREATE TEMP TABLE a ()', 'CREATE TABLE public.a ()', 'CREATE SCHEMA a'])
      await t.rejects(reader.query(forbidden), { code: '42501' }, forbidden);
    for (let more = 1; more < 20; more += 1) await connected('edgeward_reader', passwords.reader);
    await t.rejects(connected('edgeward_reader', passwords.reader), { code: '53300' }, 'no more than twenty');
    const ledger = await connected('edgeward', passwords.ledger);
    await ledger.query('CREATE SCHEMA edgeward');
    t.pass('the ledger is made meanwhile');
  },
);
