import { readFileSync, statSync } from 'node:fs';
import t from 'tap';
import { migrations } from '../../audit-collector/src/ledger/postgres/schema.ts';
import { requirePostgres, startPostgres } from './postgres.ts';

requirePostgres(t);

t.test('a private PostgreSQL keeps what was committed over a kill, and is known by its password alone', async (t) => {
  const server = await startPostgres(t);
  t.equal(statSync(server.passwordFile).mode & 0o777, 0o600);
  t.match(readFileSync(server.passwordFile, 'utf8'), /^[0-9a-f]{32}\n$/);
  await server.sql('CREATE TABLE kept (a text)');
  await server.sql('INSERT INTO kept VALUES ($1)', ['x']);
  await server.kill();
  await t.rejects(server.sql('SELECT 1'), { code: 'ECONNREFUSED' });
  await server.restart();
  t.strictSame(await server.sql('SELECT a FROM kept'), [{ a: 'x' }]);
});

t.test('what dashboards read can be made of nothing but the SQL of the ledger', async (t) => {
  const server = await startPostgres(t, { fsync: false });
  const database = await server.createDatabase();
  for (const migration of migrations) await server.sql(`BEGIN; ${migration}; COMMIT`, [], database);
  const views = await server.sql(
    `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'edgeward' ORDER BY 1`,
    [],
    database,
  );
  for (const { name } of views)
    t.strictSame(await server.sql(`SELECT * FROM edgeward.${name}`, [], database), [], `${name}`);
  t.equal(views.length, 8);
});
