/** A forwarder in a process of its own, to be killed: `forwarding-child.ts CONFIG`, which is JSON. It ends with its parent. */
import { createLifecycle, createLogger } from '@edgeward/runtime';
import { type ForwarderConfig, startForwarder } from '../src/index.ts';

process.once('disconnect', () => process.exit(0));
const config = JSON.parse(process.argv[2] ?? '') as ForwarderConfig;
const logger = createLogger({ level: 'silent' });
const lifecycle = createLifecycle(logger);
const fast = { pollIntervalMs: 20, lingerMs: 100, idleMs: 500, timeoutMs: 400, reserveBytes: 0 };
const { url } = await startForwarder({ config, version: '0', logger, lifecycle, ...fast });
process.send?.(url);
await lifecycle.ended;
