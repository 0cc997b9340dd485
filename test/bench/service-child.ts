/**
 * The sync service in a process of its own, as a benchmark needs it: the product's composition, its log at debug as JSON
 * lines on stderr. The configuration comes as JSON in the one argument.
 */
import { createLifecycle, createLogger } from '@edgeward/runtime';
import { type ServiceConfig, startService } from '@edgeward/sync-service';

const config = JSON.parse(process.argv[2] ?? '') as ServiceConfig;
const logger = createLogger({ level: 'debug' });
const lifecycle = createLifecycle(logger);
logger.info({ event: 'process_ready', upMs: Math.round(process.uptime() * 1000) }, 'modules are loaded');
await startService({ config, version: '0.0.0-bench', logger, lifecycle });
await lifecycle.ended;
