/** A forwarder in a process of its own, so that what it costs is its own. Its configuration is the first argument. It ends with its parent. */
import { type ForwarderConfig, startForwarder } from '@edgeward/deny-forwarder';
import { createLifecycle, createLogger } from '@edgeward/runtime';

process.once('disconnect', () => process.exit(0));
const config = JSON.parse(process.argv[2] ?? '') as ForwarderConfig;
const logger = createLogger({ level: 'silent' });
const lifecycle = createLifecycle(logger);
const { url } = await startForwarder({ config, version: '0', logger, lifecycle });
process.send?.(url);
await lifecycle.ended;
