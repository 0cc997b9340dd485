/**
 * The sync service in a process of its own, to be killed: `service-process.ts CONFIG`. It tells its parent where its API
 * listens, and ends with it.
 */
import { createLifecycle, createLogger } from '@edgeward/runtime';
import { loadServiceConfig, startService } from '@edgeward/sync-service';

const [file] = process.argv.slice(2);
process.once('disconnect', () => process.exit(0));
const config = await loadServiceConfig({ file, env: {} });
const logger = createLogger({ level: 'warn' });
const lifecycle = createLifecycle(logger);
const { url } = await startService({ config, version: '0.0.0', logger, lifecycle });
process.send?.(url);
await lifecycle.ended;
