/**
 * A collector that takes records in a process of its own, to be killed: `records-child.ts LEDGER MOMENT COUNT`. It takes
 * each batch that it is sent and answers as a host is answered. It kills itself at the COUNTth event `before` a commit, or
 * right `after` the commit of the COUNTth.
 */
import type { HostRecord } from '../src/index.ts';
import { killingItself } from './killing.ts';
import { collectorFor, labels } from './kit.ts';

const [ledgerFile, moment, count] = process.argv.slice(2);
if (ledgerFile === undefined) throw new Error('usage: records-child.ts LEDGER');
const passes = killingItself(moment, count);
const collector = await collectorFor({
  ledgerFile,
  logs: [],
  ledgerThreads: true,
  labels: {
    ...labels,
    nearest(event) {
      passes('before');
      return labels.nearest(event);
    },
  },
});
collector.onDenial(() => passes('after'));
process.on('message', async ({ epoch, records }: { epoch: string; records: HostRecord[] }) => {
  process.send?.(await collector.takeHostRecords('host-1', epoch, records));
});
process.send?.('ready');
