/** A central store in a process of its own, to be killed: `store-process.ts CONFIG`, JSON as the store itself uses it. It ends with its parent. */
import { readFile } from 'node:fs/promises';
import { type StoreServiceConfig, startStore } from '@edgeward/central-store';
import { createLifecycle, createLogger } from '@edgeward/runtime';

const [file = ''] = process.argv.slice(2);
process.once('disconnect', () => process.exit(0));
const config = JSON.parse(await readFile(file, 'utf8')) as StoreServiceConfig;
const logger = createLogger({ level: 'warn' });
const lifecycle = createLifecycle(logger);
const { url } = await startStore({ config, version: '0.0.0', logger, lifecycle });
process.send?.(url);
await lifecycle.ended;
