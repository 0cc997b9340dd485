/**
 * Every query of the dashboards, run where an operator's would be: a service with an NGINX, its ledger in PostgreSQL, a
 * Prometheus that scrapes it. None is empty, and what a panel would show is what the ledger has.
 */
import { randomBytes } from 'node:crypto';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Postgres, requireNginx, requirePostgres, requirePrometheus, startPostgres } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { postgresQueries } from './postgres-queries.ts';
import { prometheusQueries } from './prometheus-queries.ts';
import { openStage } from './stage.ts';

await requireNginx(t);
await requirePrometheus(t);
requirePostgres(t);

/** What docs/grafana.md says to do, as it stands there. */
async function sqlOfThePage(part: string): Promise<string> {
  const page = await readFile(new URL('../../docs/grafana.md', import.meta.url), 'utf8');
  const [, text] = new RegExp(`\`{3}sql ${part}\\n(.*?)\`{3}`, 's').exec(page) ?? [];
  if (text === undefined) throw new Error(`docs/grafana.md has no block "sql ${part}"`);
  return text;
}

/** The service owns its ledger, as on the page; whoever asks here from then on is the role of dashboards. */
async function ownedLedger(t: Test, postgres: Postgres): Promise<object> {
  const password = randomBytes(16).toString('hex');
  const passwordFile = join(t.testdir({}), 'password');
  await writeFile(passwordFile, `${password}\n`);
  await chmod(passwordFile, 0o600);
  await postgres.sql(`CREATE ROLE edgeward LOGIN PASSWORD '${password}'`);
  await postgres.sql(`ALTER DATABASE ${postgres.database} OWNER TO edgeward`);
  const { host, port, database } = postgres;
  return { postgres: { host, port, database, user: 'edgeward', passwordFile } };
}

t.test('a service with its ledger in PostgreSQL, an NGINX, a Loki and a Prometheus', async (t) => {
  const postgres = await startPostgres(t, { fsync: false });
  const stage = await openStage(t, { denials: await ownedLedger(t, postgres) });
  await postgres.sql(await sqlOfThePage('reader'));
  await postgres.sql(`ALTER ROLE ${postgres.user} IN DATABASE ${postgres.database} SET role = 'edgeward_reader'`);

  t.test('Prometheus', async (t) => prometheusQueries(t, stage));
  t.test('PostgreSQL', async (t) => postgresQueries(t, stage, postgres));
});
