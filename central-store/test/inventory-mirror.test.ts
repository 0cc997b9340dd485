/** The names of workloads in the mirror: whole, soon, and not more often than somebody could want. */
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '@edgeward/runtime';
import t from 'tap';
import { createManualClock } from '../../runtime/test/fixtures/manual-clock.ts';
import { createMembership } from '../src/index.ts';
import { mirrorInventory } from '../src/publishing/inventory-mirror.ts';
import { workload } from './publishing-kit.ts';

t.test('what is in force is written, and once in half a minute what changed', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'edgeward-mirror-'));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  const clock = createManualClock();
  const workloads = createMembership();
  let changes = 0;
  const logger = createLogger({ level: 'silent' });
  const close = mirrorInventory({ dir, workloads, changes: () => changes, clock, logger });
  t.teardown(close);
  const change = (...numbers: number[]): void => {
    workloads.change(numbers.map((number) => workload(number)));
    changes += 1;
  };
  /** Files are real, and take the time that they take. */
  const lines = async (count: number): Promise<unknown[]> => {
    for (let attempt = 0; attempt < 3_000; attempt += 1) {
      const text = await readFile(join(dir, 'inventory.ndjson'), 'utf8').catch(() => '');
      const found = text.split('\n').slice(0, -1);
      if (found.length === count) return found.map((line) => JSON.parse(line) as unknown);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error(`there were never ${count} lines`);
  };

  await clock.advance(5_000);
  t.strictSame(await readdir(dir), [], 'nothing was ever in force');
  change(1);
  await clock.advance(1_000);
  t.strictSame(await lines(1), [{ kind: 'Workload', name: 'w-1', labels: { app: 'crm' }, addresses: ['10.30.0.1'] }]);
  t.equal((await stat(join(dir, 'inventory.ndjson'))).mode & 0o007, 0, 'not for everybody');
  change(2);
  await clock.advance(20_000);
  t.equal((await lines(1)).length, 1, 'it was written a moment ago');
  change(...Array.from({ length: 5_000 }, (_, i) => i + 3));
  await clock.advance(11_000);
  t.equal((await lines(5_002)).length, 5_002);
  await close();
  t.strictSame(await readdir(dir), ['inventory.ndjson']);
});
