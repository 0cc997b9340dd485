/** Ledgers in PostgreSQL for tests: one server for a file, and databases that are emptied and used again. */
import type { Test } from 'tap';
import { type Postgres, type PostgresOptions, startPostgres } from '../../../test/kit/postgres.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import type { PostgresAccess } from '../../src/ledger/postgres/access.ts';
import { openPostgresLedger } from '../../src/ledger/postgres/postgres-ledger.ts';

export interface PostgresPlace {
  server: Postgres;
  access(database: string): PostgresAccess;
  /** A ledger of its own for this test. */
  make(t: Test): MadeLedger;
}

export interface MadeLedger {
  database: Promise<string>;
  /** The same one each time; closed at the end of the test. */
  open(): Promise<Ledger>;
  sql(text: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>;
}

/** As it was when it was made. Making one anew takes ten times as long. */
const empty = `DO $$
  DECLARE kept text;
  BEGIN
    IF to_regnamespace('edgeward_ledger') IS NULL THEN RETURN; END IF;
    FOR kept IN SELECT relid::regclass FROM pg_partition_tree('edgeward_ledger.events') WHERE level = 1 LOOP
      EXECUTE 'DROP TABLE ' || kept;
    END LOOP;
    FOR kept IN SELECT format('edgeward_ledger.%I', relname) FROM pg_class
      WHERE relnamespace = 'edgeward_ledger'::regnamespace AND relkind = 'r' AND relname NOT IN ('state', 'rollup_sets') LOOP
      EXECUTE 'DELETE FROM ' || kept;
    END LOOP;
    DELETE FROM edgeward_ledger.rollup_sets WHERE id > 1;
    UPDATE edgeward_ledger.state SET last_id = 0, terms = 0, edges = 0;
  END $$`;

const mostAtOnce = 4;

export async function postgresPlace(t: Test, options: PostgresOptions = {}): Promise<PostgresPlace> {
  const server = await startPostgres(t, options);
  const { host, port, user, passwordFile } = server;
  const access = (database: string): PostgresAccess => ({ host, port, user, passwordFile, database, clearText: false });
  const free: string[] = [];
  const takenBy = new WeakMap<Test, string[]>();
  const taken = async (t: Test): Promise<string> => {
    const own = takenBy.get(t) ?? [];
    takenBy.set(t, own);
    // Who tries a property has many ledgers, one after the other: those from long ago are used again.
    const used = own.length >= mostAtOnce ? own.shift() : free.pop();
    if (used !== undefined) await server.sql(empty, [], used);
    const database = used ?? (await server.createDatabase());
    own.push(database);
    return database;
  };
  return {
    server,
    access,
    make(t) {
      const database = taken(t);
      // Ends after what was opened later.
      t.teardown(() => free.push(...(takenBy.get(t)?.splice(0) ?? [])));
      return {
        database,
        async open() {
          const ledger = await openPostgresLedger(access(await database));
          t.teardown(() => ledger.close());
          return ledger;
        },
        sql: async (text, values = []) => server.sql(text, values, await database),
      };
    },
  };
}
