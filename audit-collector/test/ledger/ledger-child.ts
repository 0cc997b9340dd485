/**
 * A ledger in a process of its own, to be killed: `ledger-child.ts LEDGER MOMENT COUNT`. It stores numbered denials as it is
 * told and says so after the commit. It kills itself at the COUNTth `begun` (nothing is committed yet), `day-committed` (the
 * day file is, the ledger is not) or `committed`.
 */
import { openLedgerFile } from '../../src/ledger/sqlite/ledger-file.ts';
import { killingItself } from '../killing.ts';
import { numbered } from './fixtures.ts';

const [file, moment, count] = process.argv.slice(2);
if (file === undefined) throw new Error('usage: ledger-child.ts LEDGER MOMENT COUNT');
const passes = killingItself(moment, count);
const ledger = openLedgerFile({ file, synchronous: 'NORMAL', passes });
process.on('message', ({ seqs, storedMs }: { seqs: number[]; storedMs: number }) => {
  passes('begun');
  const denials = seqs.map((seq) => numbered({ seq }));
  ledger.storeNumbered({ point: 'big-1', log: 'syslog', storedMs, denials, unparsed: [] });
  passes('committed');
  process.send?.('stored');
});
process.send?.('ready');
