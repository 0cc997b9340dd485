/** Errors that every ledger has in common. */
import { EdgewardError, messageOf } from '@edgeward/runtime';

export const newerLedger = (file: string, version: number, known: number): EdgewardError =>
  new EdgewardError('EDW_ERR_LEDGER_NEWER', `opening the ledger ${file}: its format is ${version}, known is ${known}`, {
    mend: 'A newer Edgeward wrote this ledger. Run that version, or name another file.',
  });

/** Told, never thrown: it costs nothing but its day. */
export const lostDay = (file: string, cause: unknown): EdgewardError =>
  new EdgewardError('EDW_ERR_LEDGER_DAY', `events of a day, in ${file}: ${messageOf(cause)}`, {
    cause,
    mend: 'Put the file back, or save it with `sqlite3 FILE .recover`. Every other day and all sums are as they were.',
  });

export const contendedLedger = (point: string, log: string): EdgewardError =>
  new EdgewardError('EDW_ERR_LEDGER_CONTENDED', `storing denials of ${point} from ${log}: the cursor moved meanwhile`, {
    mend: 'Two collectors read this log into one ledger. Nothing is stored twice, but stop one of them.',
  });
