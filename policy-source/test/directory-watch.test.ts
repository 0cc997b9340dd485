/** A watch on real directories: whatever happens to them is noticed, with events or without. */
import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { createDirectoryReader, type DirectoryWatchOptions, watchDirectory } from '../src/index.ts';

const patienceMs = 30_000;

interface Watched {
  calls(): number;
  /** Waits until a call came after the first `count`. */
  after(count: number): Promise<boolean>;
}

async function until(condition: () => boolean | Promise<boolean>): Promise<boolean> {
  for (let waited = 0; waited < patienceMs; waited += 10) {
    if (await condition()) return true;
    await sleep(10);
  }
  return false;
}

/** A watch that has begun: its first call is over. */
async function watched(t: Test, dir: string, options: Partial<DirectoryWatchOptions> = {}): Promise<Watched> {
  let calls = 0;
  const watch = watchDirectory(dir, { pollMs: 100, ...options, onChange: () => void calls++ });
  t.teardown(() => watch.close());
  const after = (count: number) => until(() => calls > count);
  t.ok(await after(0), 'the watch calls once when it has begun');
  return { calls: () => calls, after };
}

function temporary(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'edgeward-watch-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  mkdirSync(join(dir, 'policies', 'sub'), { recursive: true });
  writeFileSync(join(dir, 'policies', 'a.yaml'), 'name: a\n');
  writeFileSync(join(dir, 'policies', 'sub', 'b.yaml'), 'name: b\n');
  return dir;
}

const changes: { name: string; change: (policies: string) => void }[] = [
  { name: 'an edit', change: (dir) => appendFileSync(join(dir, 'a.yaml'), 'x: 1\n') },
  { name: 'an edit in a folder below', change: (dir) => appendFileSync(join(dir, 'sub', 'b.yaml'), 'x: 1\n') },
  { name: 'a new file', change: (dir) => writeFileSync(join(dir, 'c.yaml'), 'name: c\n') },
  { name: 'a file that goes', change: (dir) => rmSync(join(dir, 'a.yaml')) },
  {
    name: 'a file put over another',
    change: (dir) => {
      writeFileSync(join(dir, '.a.tmp'), 'name: b\n');
      renameSync(join(dir, '.a.tmp'), join(dir, 'a.yaml'));
    },
  },
  {
    name: 'a new folder with a file',
    change: (dir) => {
      mkdirSync(join(dir, 'new', 'er'), { recursive: true });
      writeFileSync(join(dir, 'new', 'er', 'd.yaml'), 'name: d\n');
    },
  },
  {
    name: 'a directory put in place of the directory',
    change: (dir) => {
      mkdirSync(`${dir}.next`);
      writeFileSync(join(`${dir}.next`, 'a.yaml'), 'name: a\n');
      renameSync(dir, `${dir}.old`);
      renameSync(`${dir}.next`, dir);
    },
  },
];

for (const { how, pollMs } of [
  { how: 'by events alone', pollMs: 3_600_000 },
  { how: 'by polling', pollMs: 50 },
]) {
  t.test(`noticed ${how}`, async (t) => {
    for (const { name, change } of changes) {
      await t.test(name, async (t) => {
        const policies = join(temporary(t), 'policies');
        const watch = await watched(t, policies, { pollMs });
        const before = watch.calls();
        change(policies);
        t.ok(await watch.after(before));
      });
    }
  });
}

t.test('what changes after a change is noticed too, in files and folders that came with it', async (t) => {
  const policies = join(temporary(t), 'policies');
  const watch = await watched(t, policies, { pollMs: 3_600_000 });
  for (const { name, change } of changes) {
    const before = watch.calls();
    if (name !== 'a file that goes') change(policies);
    else rmSync(join(policies, 'c.yaml'));
    t.ok(await watch.after(before), name);
  }
  const before = watch.calls();
  appendFileSync(join(policies, 'a.yaml'), 'x: 1\n');
  t.ok(await watch.after(before), 'an edit in the directory that took the place of the first');
});

t.test('a directory that goes is noticed, and so is its return', async (t) => {
  const policies = join(temporary(t), 'policies');
  const watch = await watched(t, policies);
  const reader = createDirectoryReader(policies);
  let before = watch.calls();
  rmSync(policies, { recursive: true });
  t.ok(await watch.after(before), 'it went');
  await t.rejects(reader.read(), { code: 'EDW_ERR_POLICY_DIR' });
  before = watch.calls();
  mkdirSync(policies);
  writeFileSync(join(policies, 'z.yaml'), 'name: z\n');
  t.ok(await watch.after(before), 'it came back');
  t.ok(await until(async () => (await reader.read()).files.includes('z.yaml')));
  before = watch.calls();
  appendFileSync(join(policies, 'z.yaml'), 'x: 1\n');
  t.ok(await watch.after(before), 'and is watched again');
});

t.test('a directory that is not there yet is noticed when it comes', async (t) => {
  const policies = join(temporary(t), 'later');
  const watch = await watched(t, policies);
  const before = watch.calls();
  mkdirSync(policies);
  t.ok(await watch.after(before));
});

t.test('a swap of links is noticed, of the directory and inside it as Kubernetes does', async (t) => {
  const dir = temporary(t);
  for (const version of ['v1', 'v2']) {
    mkdirSync(join(dir, version));
    writeFileSync(join(dir, version, 'a.yaml'), `name: ${version}\n`);
  }
  const swap = (target: string, link: string) => {
    symlinkSync(target, `${link}.next`);
    renameSync(`${link}.next`, link);
  };
  const link = join(dir, 'link');
  swap('v1', link);
  const mount = join(dir, 'mount');
  mkdirSync(mount);
  swap('../v1', join(mount, '..data'));
  symlinkSync('..data/a.yaml', join(mount, 'a.yaml'));
  for (const { policies, change } of [
    { policies: link, change: () => swap('v2', link) },
    { policies: mount, change: () => swap('../v2', join(mount, '..data')) },
  ]) {
    const watch = await watched(t, policies, { pollMs: 3_600_000 });
    const reader = createDirectoryReader(policies);
    await reader.read();
    const before = watch.calls();
    change();
    t.ok(await watch.after(before));
    t.match((await reader.read()).documents, [{ value: { name: 'v2' } }]);
  }
});

t.test('a stream of events does not postpone the call for ever', async (t) => {
  const policies = join(temporary(t), 'policies');
  const watch = await watched(t, policies, { pollMs: 3_600_000, debounceMs: 200 });
  const before = watch.calls();
  const noticed = await until(() => {
    appendFileSync(join(policies, 'a.yaml'), '# x\n');
    return watch.calls() > before;
  });
  t.ok(noticed);
});

t.test('after a burst of edits a reader that reads at each call has the last one', async (t) => {
  const policies = join(temporary(t), 'policies');
  const reader = createDirectoryReader(policies);
  let last: unknown;
  const watch = watchDirectory(policies, {
    pollMs: 3_600_000,
    async onChange() {
      last = (await reader.read()).documents[0]?.value;
    },
  });
  t.teardown(() => watch.close());
  for (let i = 100; i < 200; i++) {
    writeFileSync(join(policies, 'a.yaml'), `name: n${i}\n`);
    await sleep(i % 7);
  }
  t.ok(await until(() => (last as { name?: string } | undefined)?.name === 'n199'));
});

t.test('a listener that fails is logged, and called again', async (t) => {
  const policies = join(temporary(t), 'policies');
  const warnings: object[] = [];
  let calls = 0;
  const watch = watchDirectory(policies, {
    logger: { warn: (fields) => warnings.push(fields) },
    onChange() {
      calls++;
      throw new Error('no');
    },
  });
  t.teardown(() => watch.close());
  t.ok(await until(() => calls >= 1));
  appendFileSync(join(policies, 'a.yaml'), 'x: 1\n');
  t.ok(await until(() => calls >= 2));
  t.match(warnings[0], { event: 'policy_watch_listener_failed', error: 'no' });
});

t.test('a closed watch calls no more', async (t) => {
  const policies = join(temporary(t), 'policies');
  let calls = 0;
  const watch = watchDirectory(policies, { pollMs: 20, onChange: () => void calls++ });
  t.ok(await until(() => calls > 0));
  watch.close();
  watch.close();
  const before = calls;
  appendFileSync(join(policies, 'a.yaml'), 'x: 1\n');
  await sleep(200);
  t.equal(calls, before);
});
