/**
 * What has to be true of a database before it is a ledger: it is made, or brought up to date, by whoever comes first, and
 * nothing of it is there if that fails. A copy, a dump that was put back and a standby that took over begin a new life: they
 * may lack the last ids that were given.
 */
import { randomBytes } from 'node:crypto';
import { EdgewardError } from '@edgeward/runtime';
import { newerLedger } from '../ledger-error.ts';
import type { LedgerLife } from '../lives.ts';
import type { PostgresAccess } from './access.ts';
import { migrations } from './schema.ts';
import type { Asking } from './session.ts';

/** Any number, the same for every Edgeward: of two that come first, one makes the tables. */
const openingLock = 5_233_217_771;

/**
 * Answers with its lives, and what `read` finds while nobody writes: a commit whose answer was lost is done by then, or
 * never. Throws EDW_ERR_LEDGER_NEWER, EDW_ERR_LEDGER_REFUSED, and what `pg` throws.
 */
export async function openLedgerIn<Found>(
  asking: Asking,
  access: PostgresAccess,
  read: (asking: Asking) => Promise<Found>,
): Promise<{ lives: LedgerLife[]; found: Found }> {
  await checkEncoding(asking, access);
  await asking.rows('BEGIN');
  try {
    await asking.rows(`SELECT pg_advisory_xact_lock(${openingLock})`);
    await migrate(asking, access);
    await asking.rows('SELECT 1 FROM state FOR UPDATE');
    const opened = { lives: await livesOf(asking), found: await read(asking) };
    await asking.rows('COMMIT');
    return opened;
  } catch (thrown) {
    await asking.rows('ROLLBACK').catch(() => {});
    throw thrown;
  }
}

async function checkEncoding(asking: Asking, { database }: PostgresAccess): Promise<void> {
  const [found] = await asking.rows<{ encoding: string }>("SELECT current_setting('server_encoding') AS encoding");
  if (found?.encoding === 'UTF8') return;
  throw new EdgewardError('EDW_ERR_LEDGER_REFUSED', `opening the ledger in ${database}: it is ${found?.encoding}`, {
    mend: "Make a database that takes every character: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0.",
  });
}

async function migrate(asking: Asking, { host, database }: PostgresAccess): Promise<void> {
  const [made] = await asking.rows<{ is: boolean }>("SELECT to_regclass('edgeward_ledger.state') IS NOT NULL AS is");
  const [state] = made?.is ? await asking.rows<{ format: number }>('SELECT format FROM state') : [];
  const format = state?.format ?? 0;
  if (format > migrations.length) throw newerLedger(`${database} on ${host}`, format, migrations.length);
  if (format === migrations.length) return;
  for (const migration of migrations.slice(format)) await asking.rows(migration);
  await asking.rows('UPDATE edgeward_ledger.state SET format = $1', [migrations.length]);
}

/**
 * What a copy of a database differs in: the cluster, its life, the database, the table. The life of the cluster is that which
 * it writes now: after a promotion the control file has the one before until a checkpoint is done, which takes minutes.
 */
const placeHere = `SELECT concat_ws('/', system_identifier, ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int,
    pg_database.oid, 'state'::regclass::oid) AS here
  FROM pg_control_system(), pg_database WHERE datname = current_database()`;

async function livesOf(asking: Asking): Promise<LedgerLife[]> {
  const [place] = await asking.rows<{ here: string }>(placeHere);
  const [last] = await asking.rows<{ place: string }>('SELECT place FROM lives ORDER BY number DESC LIMIT 1');
  if (last === undefined || last.place !== place?.here) {
    await asking.rows('INSERT INTO lives (epoch, after_id, place) SELECT $1, last_id, $2 FROM state', [
      randomBytes(16).toString('hex'),
      place?.here ?? '',
    ]);
  }
  return asking.rows<LedgerLife>('SELECT epoch, after_id AS "afterId" FROM lives ORDER BY number');
}
