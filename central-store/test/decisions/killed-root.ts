/** Opens a store, publishes one approved trust root, and is killed by itself at the write with the number that it was given. */
import { createLogger } from '@edgeward/runtime';
import { openStoreFolder } from '../../src/index.ts';
import { killAtWrite } from './killed-at-write.ts';
import { stillClock } from './world.ts';

const [, , dir = '', id = '', killAt = '0'] = process.argv;
await killAtWrite(Number(killAt));

const store = await openStoreFolder({ dir, clock: stillClock(), logger: createLogger({ level: 'silent' }) });
await store.proposals.publish({ name: 'eve', by: 'certificate' }, id);
process.stdout.write('published\n');
await store.close();
process.stdout.write('closed\n');
