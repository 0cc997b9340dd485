/**
 * A store's publishing in a process of its own, until somebody kills it: members come and go, and what is served is said on
 * stdout, a line for each head, when it is served. Begins with what lies in the folder.
 */
import { createInterface } from 'node:readline';
import { openBenchIn, slicesOfApps, workload } from './publishing-kit.ts';

const [, , dir = '', seed = '1'] = process.argv;
const apps = 6;
let state = Number(seed) % 2147483647 || 1;
/** Lehmer's generator: the same walk for the same seed. */
const random = (): number => {
  state = (state * 48271) % 2147483647;
  return state / 2147483647;
};

const bench = await openBenchIn(dir);
// Written at once: what was said before a kill was said.
bench.publishing.onPublished((point) => {
  const served = bench.publishing.point(point);
  if (served !== null)
    process.stdout.write(`${point} ${served.cursor.revision} ${served.cursor.stateRoot} ${served.digest}\n`);
});
const members = Array.from({ length: 30 }, (_, i) => workload(i, { app: `a-${i % apps}` }));
await bench.publishing.submitInventory(members);
await bench.everywhere(await bench.approve(slicesOfApps(apps)));
process.stdout.write('begun\n');
createInterface({ input: process.stdin }).on('close', () => process.exit(0));
for (let step = 0; step < 100_000; step += 1) {
  const number = Math.floor(random() * 40);
  const edit =
    random() < 0.3 ? { name: `w-${number}`, is: null } : workload(number, { app: `a-${Math.floor(random() * apps)}` });
  await bench.publishing.submitInventory([edit]);
}
