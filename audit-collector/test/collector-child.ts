/**
 * A collector in a process of its own, to be killed: `collector-child.ts LEDGER LOG [MOMENT COUNT]`. With a moment it kills
 * itself there: at the COUNTth event `before` its batch is committed, or right `after` the commit of the COUNTth.
 */
import { killingItself } from './killing.ts';
import { collectorFor, labels } from './kit.ts';

const [ledgerFile, file, moment, count] = process.argv.slice(2);
if (ledgerFile === undefined || file === undefined) throw new Error('usage: collector-child.ts LEDGER LOG');
const passes = killingItself(moment, count);
const collector = await collectorFor({
  ledgerFile,
  logs: [{ point: 'edge-1', file }],
  lingerMs: 200,
  pollIntervalMs: 5,
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
process.send?.('started');
await collector.start();
// A tail never keeps a process alive: what serves does.
setInterval(() => {}, 1000);
