/**
 * A collector with a listener in a process of its own, to be killed: `listener-child.ts LEDGER [MOMENT COUNT]`. It tells
 * its port. With a moment it kills itself there: at the COUNTth event `before` its batch is committed, or right `after`
 * the commit of the COUNTth.
 */
import { killingItself } from './killing.ts';
import { collectorFor, labels } from './kit.ts';

const [ledgerFile, moment, count] = process.argv.slice(2);
if (ledgerFile === undefined) throw new Error('usage: listener-child.ts LEDGER');
const passes = killingItself(moment, count);
const collector = await collectorFor({
  ledgerFile,
  logs: [],
  ledgerThreads: true,
  listeners: [{ point: 'big-1', listen: { host: '127.0.0.1', port: 0 }, from: ['127.0.0.1'] }],
  labels: {
    ...labels,
    nearest(event) {
      passes('before');
      return labels.nearest(event);
    },
  },
});
collector.onDenial(() => passes('after'));
await collector.start();
process.send?.({ port: collector.listeners()[0]?.listen.port });
