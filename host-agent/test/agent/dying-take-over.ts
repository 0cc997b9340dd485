/** A process that takes over one offered policy after the other until it is killed. */
import { readdirSync, readFileSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import type { PublicKey } from '@edgeward/policy-format';
import { createLogger, systemClock } from '@edgeward/runtime';
import { createHostPoint, createNetfilter, createToolRun } from '../../driver/index.ts';
import { readInForce } from '../../src/in-force.ts';
import { openLastKnown } from '../../src/last-known.ts';
import { createStanding } from '../../src/standing.ts';
import { createTakeOver } from '../../src/take-over.ts';
import { HOST_OPTIONS } from '../fixtures/host-options.ts';

// Whoever is killed keeps nothing for the next one at its end.
flushCompileCache();
const [where = '', stateDir = '', offers = '', key = ''] = process.argv.slice(2);
const keys = (): PublicKey[] => [JSON.parse(key) as PublicKey];
const netfilter = createNetfilter('nft', createToolRun({ where: where.split(' ') }));
const point = createHostPoint({ name: 'host-db', options: HOST_OPTIONS, netfilter });
const known = await openLastKnown({
  stateDir,
  aud: 'host-db',
  keys,
  onDamage: (words) => process.stdout.write(`damage ${words}\n`),
});
const takeOver = createTakeOver({
  ...{ aud: 'host-db', keys, known, clock: systemClock, logger: createLogger({ level: 'silent' }) },
  standing: createStanding({ point, netfilter }),
  surroundings: async () => ({ kubernetes: null, sessions: [], servicePort: null }),
  inForce: () => readInForce(netfilter),
  isReached: () => true,
  reach: () => Promise.resolve(),
  onChanged: () => {},
});
const byRevision = (a: string, b: string): number => Number(a) - Number(b);
const names = readdirSync(offers).toSorted(byRevision);
await takeOver.restore();
process.stdout.write('restored\n');
for (const name of names.filter((one) => Number(one) > (known.state().floor?.revision ?? 0))) {
  await takeOver.offer(readFileSync(`${offers}/${name}`), Number(name));
  process.stdout.write('offered\n');
}
process.stdout.write('done\n');
setInterval(() => {}, 2 ** 30);
