/**
 * One way to a server, on which one thing after the other is asked. How many wait is bounded. A connection that is lost fails
 * what was asked of it, and the next one who asks has a new one made.
 */
import { EdgewardError } from '@edgeward/runtime';
import type pg from 'pg';
import { isLost, postgresError } from './postgres-error.ts';

/** Asks within a transaction, or for one snapshot. Throws what `pg` throws. */
export interface Asking {
  rows<Row extends object>(sql: string, values?: readonly unknown[]): Promise<Row[]>;
}

export interface Session {
  /** All of it or nothing. `begin` opens the transaction. Rejects with EDW_ERR_LEDGER_…. */
  inTransaction<Result>(doing: string, begin: string, run: (asking: Asking) => Promise<Result>): Promise<Result>;
  /** How many wait, whoever is asked now included. */
  waiting(): number;
  /** After everything that was asked before. */
  close(): Promise<void>;
}

/** Everybody who stores has one batch on its way: more than this are not as many as there are points. */
const mostWaiting = 256;

/** `onConnected` runs on each new connection before anything else does. */
export function sessionOf(
  pool: pg.Pool,
  name: string,
  onConnected: (asking: Asking) => Promise<void> = async () => {},
): Session {
  const known = new WeakSet<pg.PoolClient>();
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  let isClosed = false;

  /** One after the other, whatever became of the one before. */
  function inTurn<Result>(run: () => Promise<Result>): Promise<Result> {
    waiting += 1;
    const result = last.then(run).finally(() => {
      waiting -= 1;
    });
    last = result.catch(() => {});
    return result;
  }

  async function connected(): Promise<pg.PoolClient> {
    const client = await pool.connect();
    if (known.has(client)) return client;
    try {
      await onConnected(askingOf(client));
      known.add(client);
      return client;
    } catch (thrown) {
      client.release(true);
      throw thrown;
    }
  }

  async function transaction<Result>(begin: string, run: (asking: Asking) => Promise<Result>): Promise<Result> {
    const client = await connected();
    try {
      await client.query(begin);
      const result = await run(askingOf(client));
      await client.query('COMMIT');
      client.release();
      return result;
    } catch (thrown) {
      client.release(isLost(thrown) || !(await isTakenBack(client)));
      throw thrown;
    }
  }

  return {
    async inTransaction(doing, begin, run) {
      if (isClosed) throw closed(name);
      if (waiting >= mostWaiting) throw overloaded(name, waiting);
      return inTurn(async () => {
        try {
          return await transaction(begin, run);
        } catch (thrown) {
          throw postgresError(doing, thrown);
        }
      });
    },
    waiting: () => waiting,
    async close() {
      if (isClosed) return;
      isClosed = true;
      await inTurn(() => pool.end());
    },
  };
}

const askingOf = (client: pg.PoolClient): Asking => ({
  rows: async <Row extends object>(sql: string, values: readonly unknown[] = []) =>
    (await client.query<Row>(sql, values.map(parameter))).rows,
});

/** Columns of thousands of values: `pg` would look at each of them twice. */
const parameter = (value: unknown): unknown => (Array.isArray(value) ? `{${value.map(element).join()}}` : value);

function element(value: unknown): string {
  if (value === null) return 'NULL';
  if (typeof value !== 'string') return String(value);
  return `"${/["\\]/.test(value) ? value.replace(/["\\]/g, '\\$&') : value}"`;
}

const isTakenBack = (client: pg.PoolClient): Promise<boolean> =>
  client.query('ROLLBACK').then(
    () => true,
    () => false,
  );

const closed = (name: string): EdgewardError =>
  new EdgewardError('EDW_ERR_LEDGER_WRITE', `asking the ${name}: it was closed`, {
    mend: 'Nothing to do: the service is ending.',
  });

const overloaded = (name: string, waiting: number): EdgewardError =>
  new EdgewardError('EDW_ERR_LEDGER_OVERLOADED', `asking the ${name}: ${waiting} others wait for it`, {
    mend: 'Nothing is lost: denials wait where they come from. If it stays so, look for a slow server.',
  });
