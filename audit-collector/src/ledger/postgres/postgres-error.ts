/** What PostgreSQL, or the way to it, says, as a code that stands in `docs/errors.md`. */
import { EdgewardError, messageOf } from '@edgeward/runtime';

type Known = [code: string, mend: string];

const unreachable: Known = [
  'EDW_ERR_LEDGER_UNREACHABLE',
  'Check that the PostgreSQL server runs and is reached from here. Denials wait where they come from meanwhile.',
];
const refused: Known = [
  'EDW_ERR_LEDGER_REFUSED',
  'Check host, database, user and password file. The user needs CREATE on the database, which is UTF8, on a primary server.',
];
const overdue: Known = [
  'EDW_ERR_LEDGER_OVERLOADED',
  'Nothing is lost: denials wait where they come from. If it stays so, look for a slow disk of the PostgreSQL server.',
];
const busy: Known = [
  'EDW_ERR_LEDGER_BUSY',
  'Another process writes this ledger, or holds a lock in it. Stop it, or give each collector a database of its own.',
];
const failed: Known = [
  'EDW_ERR_LEDGER_WRITE',
  'Look into the log of the PostgreSQL server, and whether its disk is full. Denials wait where they come from meanwhile.',
];

/** SQLSTATE, or the class of it (postgresql.org/docs/current/errcodes-appendix.html). */
const bySqlState: Record<string, Known> = {
  '08': unreachable,
  '57P': unreachable,
  '53300': unreachable,
  '28': refused,
  '3D000': refused,
  '42501': refused,
  '25006': refused,
  '25P03': unreachable,
  '57014': overdue,
  '55P03': busy,
};

export function postgresError(doing: string, thrown: unknown): EdgewardError {
  if (thrown instanceof EdgewardError) return thrown;
  const [code, mend] = knownOf(thrown);
  return new EdgewardError(code, `${doing}: ${messageOf(thrown)}`, { cause: thrown, mend });
}

/** The connection is of no use any longer. */
export const isLost = (thrown: unknown): boolean =>
  thrown instanceof EdgewardError ? thrown.code === unreachable[0] : knownOf(thrown) === unreachable;

function knownOf(thrown: unknown): Known {
  const state = sqlStateOf(thrown);
  // What has none was not said by the server: refused, reset, timed out, a certificate that is not its own. Or it is a batch
  // that makes no sense.
  if (state === null) return thrown instanceof TypeError || thrown instanceof RangeError ? failed : unreachable;
  return bySqlState[state] ?? bySqlState[state.slice(0, 3)] ?? bySqlState[state.slice(0, 2)] ?? failed;
}

function sqlStateOf(thrown: unknown): string | null {
  const has = thrown instanceof Error && 'severity' in thrown && 'code' in thrown && typeof thrown.code === 'string';
  return has ? String(thrown.code) : null;
}
