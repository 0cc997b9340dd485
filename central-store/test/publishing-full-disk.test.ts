/** What machines say while no number can be taken for it: nothing of it is lost, and nobody has to say it twice. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '@edgeward/runtime';
import { simpleGroup, simpleSlices } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { type InventoryDirectory, openInventoryDirectory } from '../src/publishing/inventory-directory.ts';
import { addressOf, type Bench, gone, openBench, workload } from './publishing-kit.ts';
import { until } from './serving-kit.ts';

const RETRY_MS = 5_000;
/** Numbers are taken so many at a time. */
const BLOCK = 64;
/** Comes and goes, and is nobody's business. */
const OTHER = 9;

interface Stage {
  bench: Bench;
  inventory: InventoryDirectory;
  /** Writes these workloads and no others, and waits until that was read. */
  say(...numbers: number[]): Promise<void>;
  members(): readonly string[];
  fill(): Promise<void>;
  free(): Promise<void>;
}

t.test('who came and went while the disk was full is no member after it', async (t) => {
  const stage = await opened(t);
  await stage.fill();
  await stage.say(1, 2, 3);
  await stage.say(1, 2);
  await stage.free();
  t.strictSame(stage.members(), [addressOf(1), addressOf(2)]);
});

t.test('who came while the disk was full is a member soon after it, with nothing said again', async (t) => {
  const stage = await opened(t);
  await stage.fill();
  await stage.say(1, 2, 3);
  t.equal(stage.bench.publishing.status().behind, 2);
  await stage.free();
  t.strictSame(stage.members(), [addressOf(1), addressOf(2), addressOf(3)]);
  t.equal(stage.bench.publishing.status().behind, 0);
  t.equal(stage.inventory.error(), null, 'the inventory was never broken');
});

t.test('what is edited back while the disk is full is as if it had never been', async (t) => {
  const stage = await opened(t);
  await stage.fill();
  await stage.say(2);
  await stage.say(1, 2);
  await stage.free();
  t.strictSame(stage.members(), [addressOf(1), addressOf(2)]);
});

t.test('a store that begins on a full disk has forgotten nobody when there is room', async (t) => {
  const bench = await openBench(t);
  const path = join(bench.dir, 'revision');
  await mkdir(path);
  await bench.everywhere(await bench.approve(simpleSlices()));
  await bench.publishing.submitInventory([workload(1), workload(2)]);
  await bench.publishing.submitInventory([workload(3)]);
  t.equal(bench.publishing.status().behind, 2);
  await rm(path, { recursive: true });
  bench.clock.pass(RETRY_MS);
  await until('everything is given out', () => bench.publishing.status().behind === 0);
  t.equal(bench.publishing.point('edge-1')?.state?.book.count, 3);
});

t.test('a point that no version has any more is not waited for', async (t) => {
  const stage = await opened(t);
  const { bench } = stage;
  await stage.fill();
  await stage.say(1, 2, 3);
  t.equal(bench.publishing.status().behind, 2);
  await t.rejects(bench.everywhere(await bench.approve(simpleSlices(['edge-1']))), { code: 'EDW_ERR_STATE_WRITE' });
  await stage.free();
  t.equal(bench.publishing.status().behind, 0);
});

async function opened(t: Test): Promise<Stage> {
  const bench = await openBench(t);
  const dir = await mkdtemp(join(tmpdir(), 'edgeward-inventory-'));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  const file = join(dir, 'machines.ndjson');
  const text = (numbers: readonly number[]): string => numbers.map((number) => `${line(number)}\n`).join('');
  await writeFile(file, text([1, 2]));
  let read = 0;
  const inventory = await openInventoryDirectory({
    dir,
    logger: createLogger({ level: 'silent' }),
    onEdits: async (edits) => {
      try {
        return await bench.publishing.submitInventory(edits);
      } finally {
        read += 1;
      }
    },
  });
  t.teardown(() => inventory.close());
  await bench.everywhere(await bench.approve(simpleSlices()));
  const path = join(bench.dir, 'revision');
  const { publishing } = bench;
  return {
    bench,
    inventory,
    async say(...numbers) {
      const before = read;
      await writeFile(file, text(numbers));
      await until('the inventory is read', () => read > before);
    },
    members: () =>
      (bench.publishing.point('edge-1')?.state?.book.members(simpleGroup()) ?? []).filter(
        (address) => address !== addressOf(OTHER),
      ),
    async fill() {
      // Of the block that was taken before, every number is used up; the next can't be written.
      for (let used = publishing.status().revision; used < BLOCK; used += 1)
        await publishing.submitInventory([used % 2 === 0 ? gone(OTHER) : workload(OTHER)]);
      await rm(path, { force: true });
      await mkdir(path);
    },
    async free() {
      await rm(path, { recursive: true });
      bench.clock.pass(RETRY_MS);
      await until('everything is given out', () => bench.publishing.status().behind === 0);
    },
  };
}

function line(number: number): string {
  return JSON.stringify({
    kind: 'Workload',
    name: `w-${number}`,
    labels: { app: 'crm' },
    addresses: [addressOf(number)],
  });
}
