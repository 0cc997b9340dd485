/**
 * A PostgreSQL that stands still at a named place of a transaction, so that it can be killed just there: triggers of its own that
 * wait, and for the moment between a commit and its answer a standby that it waits for and that does not exist. What is
 * stopped is the server: the ledger before it is the real one.
 */
import { setTimeout as sleep } from 'node:timers/promises';

type Sql = (text: string, values?: readonly unknown[]) => Promise<Record<string, unknown>[]>;

/** In the order in which a batch comes by. `cursor` is of a log, `number` of a spool. */
export const stopNames = [
  'before cursor',
  'after cursor',
  'before number',
  'after number',
  'before day',
  'day made',
  'day attached',
  'before insert',
  'after insert',
  'before totals',
  'before commit',
  'after commit',
] as const;
export type StopName = (typeof stopNames)[number];

export interface Stops {
  arm(stop: StopName): Promise<void>;
  /** Whether somebody stands there now. */
  isReached(): Promise<boolean>;
  /** Also after a kill, before anybody stores again. */
  disarm(): Promise<void>;
}

/** A table, when its trigger runs. */
const triggers: Partial<Record<StopName, [table: string, when: string]>> = {
  'before cursor': ['cursors', 'BEFORE INSERT'],
  'after cursor': ['cursors', 'AFTER INSERT'],
  'before number': ['sequences', 'BEFORE INSERT OR UPDATE'],
  'after number': ['sequences', 'AFTER INSERT OR UPDATE'],
  'before day': ['days', 'BEFORE INSERT'],
  'before insert': ['events', 'BEFORE INSERT'],
  'after insert': ['events', 'AFTER INSERT'],
  'before totals': ['totals', 'BEFORE INSERT'],
};

const waiting = `
  CREATE SCHEMA stops;
  CREATE TABLE stops.armed (name text);
  CREATE FUNCTION stops.pass(name text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    IF EXISTS (SELECT FROM stops.armed WHERE armed.name = pass.name) THEN PERFORM pg_sleep(20); END IF;
  END $$;
  CREATE FUNCTION stops.at_table() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM stops.pass(TG_NAME);
    RETURN NULL;
  END $$;
  CREATE FUNCTION stops.at_day() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM stops.pass(CASE TG_TAG WHEN 'CREATE TABLE' THEN 'day made' ELSE 'day attached' END);
  END $$;
  CREATE EVENT TRIGGER stop_day ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'ALTER TABLE')
    EXECUTE FUNCTION stops.at_day();
  CREATE CONSTRAINT TRIGGER "before commit" AFTER UPDATE ON edgeward_ledger.state DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION stops.at_table();
`;

/** In the database of a ledger that is there already. */
export async function stopsIn(sql: Sql): Promise<Stops> {
  await sql(waiting);
  for (const [stop, [table, when]] of Object.entries(triggers)) {
    await sql(`CREATE TRIGGER "${stop}" ${when} ON edgeward_ledger.${table} EXECUTE FUNCTION stops.at_table()`);
  }
  return {
    async arm(stop) {
      if (stop === 'after commit') await waitForStandby(sql, 'nobody');
      else await sql('INSERT INTO stops.armed VALUES ($1)', [stop]);
    },
    async isReached() {
      const [found] = await sql(
        `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event IN ('PgSleep', 'SyncRep')`,
      );
      return found?.count !== '0';
    },
    async disarm() {
      // First: whatever is committed before waits for nobody.
      await waitForStandby(sql, '');
      await sql('DELETE FROM stops.armed');
    },
  };
}

/** Once it is in force. Whoever waited for another one then waits no longer. */
async function waitForStandby(sql: Sql, name: string): Promise<void> {
  await sql(`ALTER SYSTEM SET synchronous_standby_names = '${name}'`);
  await sql('SELECT pg_reload_conf()');
  for (let turn = 0; turn < 1_000; turn += 1) {
    const [shown] = await sql('SHOW synchronous_standby_names');
    if (shown?.synchronous_standby_names === name) return;
    await sleep(20);
  }
  throw new Error(`the server still waits for another standby than '${name}'`);
}
