/**
 * `edgeward forward` in a process of its own, to be killed: `forwarder-process.ts CONFIG`, which is JSON. As the command, but
 * that it says every second that nothing waits, in place of four times a minute: that is what books wait for.
 */
import { readFile } from 'node:fs/promises';
import { readForwarderConfig, startForwarder } from '@edgeward/deny-forwarder';
import { createLifecycle, createLogger } from '@edgeward/runtime';

const [file = ''] = process.argv.slice(2);
const config = readForwarderConfig({ value: JSON.parse(await readFile(file, 'utf8')), file });
const logger = createLogger({ level: 'info' });
const lifecycle = createLifecycle(logger);
await startForwarder({ config, version: '0.0.0', logger, lifecycle, idleMs: 1_000 });
await lifecycle.ended;
