/**
 * The store in a process of its own, as `edgeward store serve` runs it. It tells its parent when it listens, and when heads
 * were served. The one argument names its configuration.
 */
import { loadStoreConfig, startStore } from '@edgeward/central-store';
import { createLifecycle, createLogger } from '@edgeward/runtime';
import { monotonicMs } from './fleet-clock.ts';
import { pointName } from './fleet-estate.ts';
import type { FromStore, ToStore } from './fleet-messages.ts';

const config = await loadStoreConfig({ file: process.argv[2] });
const logger = createLogger({ level: config.logLevel });
const lifecycle = createLifecycle(logger);
const send = (message: FromStore): void => void process.send?.(message);
const store = await startStore({ config, version: '0.0.0-bench', logger, lifecycle });
let served: number[] = [];
store.publishing.onPublished(() => void served.push(monotonicMs()));

process.on('message', (message: ToStore) => {
  if (message.do === 'served') {
    send({ is: 'served', atMs: served });
    served = [];
    return;
  }
  if (message.do === 'held') {
    globalThis.gc?.();
    const { heapUsed, external } = process.memoryUsage();
    send({ is: 'held', bytes: heapUsed + external });
    return;
  }
  const numbers = Array.from({ length: message.points }, (_, point) => point);
  const revisions = numbers.map((point) => store.publishing.point(pointName(point))?.cursor.revision ?? 0);
  send({ is: 'revisions', revisions });
});
process.on('disconnect', () => void lifecycle.shutdown('the benchmark'));
send({ is: 'listening', port: store.port });
await lifecycle.ended;
process.exit(0);
