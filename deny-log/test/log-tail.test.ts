import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { type FileCursor, fileKey } from '../src/log-cursor.ts';
import { createLogTail, type LogTail } from '../src/log-tail.ts';
import { denyLines, refs } from './lines.ts';

/** A log and whoever reads it: what was read is kept as the ledger keeps it, over restarts of the tail. */
function setUp(t: Test) {
  const log = join(t.testdir({}), 'deny.log');
  const cursors = new Map<string, FileCursor>();
  const found = { refs: [] as string[], rest: [] as string[], losses: [] as string[] };
  const time = { now: 1 };
  let ending = new AbortController();
  let tail: LogTail | null = null;

  async function stop(): Promise<void> {
    ending.abort();
    await tail?.close();
    tail = null;
  }
  async function read(): Promise<void> {
    if (tail === null) {
      ending = new AbortController();
      const kept = structuredClone([...cursors.values()]);
      const { signal } = ending;
      tail = createLogTail({
        file: log,
        cursors: kept,
        now: () => time.now,
        signal,
        pollIntervalMs: 20,
        lingerMs: 1000,
      });
    }
    for (let i = 0; i < 100; i += 1) {
      const batch = await tail.next();
      if (batch === null) return;
      t.ok(batch.lines.length <= 1000, 'a batch is bounded');
      for (const { from, cursor } of batch.cursors) {
        t.equal(cursors.get(fileKey(cursor))?.offset ?? null, from, 'a cursor moves from where it stands');
        cursors.set(fileKey(cursor), cursor);
      }
      for (const line of batch.lines.map(String)) {
        const ref = /"ref":"([^"]+)".*}$/.exec(line)?.[1];
        if (ref === undefined) found.rest.push(line);
        else found.refs.push(ref);
      }
      found.losses.push(...batch.losses.map((loss) => loss.cause));
    }
    throw new Error('the tail never comes to an end');
  }
  t.teardown(stop);
  return { log, found, time, cursors, read, stop, tail: () => tail };
}

const modes = ['while it runs', 'while it is down'] as const;

for (const mode of modes) {
  const pauseIf = async (stop: () => Promise<void>): Promise<void> => {
    if (mode === 'while it is down') await stop();
  };

  t.test(`a rename ${mode} loses nothing and repeats nothing`, async (t) => {
    const { log, found, read, stop } = setUp(t);
    writeFileSync(log, denyLines(0, 3));
    await read();
    await pauseIf(stop);
    appendFileSync(log, denyLines(3, 5));
    renameSync(log, `${log}.1`);
    writeFileSync(log, denyLines(6, 8));
    // A worker of NGINX that has not reopened its log yet.
    appendFileSync(`${log}.1`, denyLines(5, 6));
    await read();
    t.strictSame(found, { refs: refs(0, 8), rest: [], losses: [] });
    appendFileSync(`${log}.1`, denyLines(8, 9));
    appendFileSync(log, denyLines(9, 10));
    await read();
    t.strictSame(found.refs, refs(0, 10), 'the old file is read on until it is quiet');
  });

  t.test(`two renames ${mode}, one file never seen`, async (t) => {
    const { log, found, read, stop } = setUp(t);
    writeFileSync(log, denyLines(0, 3));
    await read();
    await pauseIf(stop);
    renameSync(log, `${log}-20261121`);
    writeFileSync(log, denyLines(3, 5));
    renameSync(log, `${log}-20261122`);
    await read();
    writeFileSync(log, denyLines(5, 6));
    await read();
    t.strictSame(found.refs, refs(0, 6));
    t.strictSame(found.losses, []);
  });

  t.test(`copy and truncate ${mode}: the rest is read from the copy, and a possible loss is recorded`, async (t) => {
    const { log, found, read, stop } = setUp(t);
    writeFileSync(log, denyLines(0, 3));
    await read();
    await pauseIf(stop);
    appendFileSync(log, denyLines(3, 5));
    copyFileSync(log, `${log}.1`);
    truncateSync(log);
    appendFileSync(log, denyLines(5, 6));
    await read();
    t.strictSame(found.refs.toSorted(), refs(0, 6));
    t.strictSame(found.losses, ['truncated']);
    await stop();
    await read();
    t.strictSame(found.refs.length, 6, 'nothing twice after another restart');
  });

  t.test(`truncated and grown past the old offset ${mode}`, async (t) => {
    const { log, found, read, stop } = setUp(t);
    writeFileSync(log, denyLines(0, 3));
    await read();
    await pauseIf(stop);
    truncateSync(log);
    appendFileSync(log, denyLines(3, 20));
    await read();
    t.strictSame(found, { refs: refs(0, 20), rest: [], losses: ['replaced'] });
  });

  t.test(`removed and made anew ${mode}`, async (t) => {
    const { log, found, read, stop } = setUp(t);
    writeFileSync(log, denyLines(0, 3));
    await read();
    await pauseIf(stop);
    appendFileSync(log, denyLines(3, 4));
    writeFileSync(`${log}.new`, denyLines(4, 6));
    rmSync(log);
    renameSync(`${log}.new`, log);
    await read();
    const down = mode === 'while it is down';
    t.strictSame(found.refs, down ? [...refs(0, 3), ...refs(4, 6)] : refs(0, 6));
    t.strictSame(found.losses, down ? ['gone'] : []);
  });

  t.test(`a plain copy made ${mode} is not read again`, async (t) => {
    const { log, found, read, stop } = setUp(t);
    writeFileSync(log, denyLines(0, 3));
    await read();
    copyFileSync(log, `${log}.bak`);
    await pauseIf(stop);
    appendFileSync(log, denyLines(3, 5));
    await read();
    renameSync(log, `${log}.1`);
    writeFileSync(log, denyLines(5, 6));
    await read();
    rmSync(`${log}.1`);
    await stop();
    await read();
    t.strictSame(found.refs, refs(0, 6));
  });
}

t.test(
  'copied and truncated at any moment of a look at the folder, nothing is read twice or passed over',
  async (t) => {
    for (let turns = 0; turns < 60; turns += 1) {
      await t.test(`${turns} turns of the event loop after it began`, async (t) => {
        const { log, found, read, stop } = setUp(t);
        // What else there is to look at takes time.
        for (let n = 2; n < 12; n += 1) writeFileSync(`${log}.${n}`, denyLines(1000 * n, 1000 * n + 1));
        writeFileSync(log, denyLines(0, 3));
        await read();
        await stop();
        const others = found.refs.length - 3;
        appendFileSync(log, denyLines(3, 9));
        const reading = read();
        for (let turn = 0; turn < turns; turn += 1) await setImmediate();
        copyFileSync(log, `${log}.1`);
        truncateSync(log);
        appendFileSync(log, denyLines(9, 10));
        await reading;
        await read();
        t.equal(found.refs.length, others + 10);
        t.strictSame([...new Set(found.refs)].length, found.refs.length, 'each once');
      });
    }
  },
);

t.test('a copy that is still being made is not taken for a new file', async (t) => {
  const { log, found, read, stop } = setUp(t);
  writeFileSync(log, denyLines(0, 3));
  await read();
  await stop();
  writeFileSync(`${log}.1`, '');
  await read();
  copyFileSync(log, `${log}.1`);
  truncateSync(log);
  appendFileSync(log, denyLines(3, 4));
  await read();
  t.strictSame(found.refs, refs(0, 4));
});

t.test('a missing file, or a missing folder, is waited for', async (t) => {
  const dir = join(t.testdir({}), 'later');
  const ending = new AbortController();
  const tail = createLogTail({ file: join(dir, 'deny.log'), cursors: [], now: Date.now, signal: ending.signal });
  t.teardown(() => tail.close());
  t.equal(await tail.next(), null);
  t.ok(tail.isFolderAway());
  mkdirSync(dir);
  t.equal(await tail.next(), null);
  t.notOk(tail.isFolderAway(), 'a log that is not there yet is none');
  rmSync(dir, { recursive: true });
  t.equal(await tail.next(), null);
  t.ok(tail.isFolderAway(), 'gone again');
  mkdirSync(dir);
  writeFileSync(join(dir, 'deny.log'), denyLines(0, 2));
  const batches = [await tail.next(), await tail.next()];
  t.equal(batches.flatMap((batch) => batch?.lines ?? []).length, 2);
});

t.test('a line is handed out when it is whole, and a restart begins after the last whole one', async (t) => {
  const { log, found, read, stop, tail } = setUp(t);
  const text = denyLines(0, 2);
  writeFileSync(log, text.slice(0, -10));
  await read();
  t.strictSame(found.refs, refs(0, 1));
  t.ok((tail()?.lagBytes() ?? 0) > 0, 'what is not read shows');
  await stop();
  appendFileSync(log, text.slice(-10));
  await read();
  t.strictSame(found.refs, refs(0, 2));
  t.equal(tail()?.lagBytes(), 0);
});

t.test('a torn end of a file that was rotated away is handed out once it is quiet', async (t) => {
  const { log, found, read, stop, time, cursors } = setUp(t);
  writeFileSync(log, `${denyLines(0, 1)}{"v":1,"t":17`);
  await read();
  renameSync(log, `${log}.1`);
  writeFileSync(log, denyLines(1, 2));
  await read();
  t.strictSame(found.rest, [], 'not yet');
  time.now += 5000;
  await read();
  t.strictSame(found, { refs: refs(0, 2), rest: ['{"v":1,"t":17'], losses: [] });
  t.strictSame([...cursors.values()].map((cursor) => cursor.state).toSorted(), ['done', 'reading']);
  rmSync(`${log}.1`);
  await stop();
  await read();
  t.strictSame(found.losses, [], 'a file that was done may go');
});

t.test('a device that has another number after a reboot changes nothing', async (t) => {
  const { log, found, read, stop, cursors } = setUp(t);
  writeFileSync(log, denyLines(0, 3));
  await read();
  await stop();
  const before = [...cursors.values()];
  cursors.clear();
  for (const cursor of before) cursors.set(`1:${cursor.inode}`, { ...cursor, dev: '1' });
  appendFileSync(log, denyLines(3, 4));
  await read();
  t.strictSame(found, { refs: refs(0, 4), rest: [], losses: [] });
});

t.test('an inode that is used again is another file', async (t) => {
  const { log, found, read, stop } = setUp(t);
  writeFileSync(log, denyLines(0, 3));
  await read();
  await stop();
  // The same inode with other content: what reuse looks like, without waiting for the file system to do it.
  writeFileSync(log, denyLines(10, 20));
  await read();
  t.strictSame(found.refs, [...refs(0, 3), ...refs(10, 20)]);
});

t.test('an overlong line is handed out once, also over a restart in its middle', async (t) => {
  const { log, found, read, stop } = setUp(t);
  writeFileSync(log, 'x'.repeat(300_000));
  await read();
  await stop();
  appendFileSync(log, `${'y'.repeat(300_000)}\n${denyLines(0, 1)}`);
  await read();
  t.equal(found.rest.length, 1);
  t.strictSame(found.refs, refs(0, 1));
});

t.test('a log that is a folder is an error that says so', async (t) => {
  const { log, read } = setUp(t);
  mkdirSync(log);
  await t.rejects(read(), { code: 'EDW_ERR_DENY_LOG_UNREADABLE' });
  rmSync(log, { recursive: true });
  writeFileSync(`${log}.real`, denyLines(0, 1));
  symlinkSync(`${log}.real`, log);
  await read();
  t.equal(readFileSync(log, 'utf8').length > 0, true, 'a link is followed');
});

t.test('a folder that can be entered and not listed is an error that says so', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'edgeward-log-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(join(dir, 'deny.log'), denyLines(0, 2));
  chmodSync(dir, 0o311);
  // Root lists everything.
  if (process.getuid?.() === 0) process.seteuid?.(65_534);
  t.teardown(() => process.getuid?.() === 0 && process.seteuid?.(0));
  const { signal } = new AbortController();
  const tail = createLogTail({ file: join(dir, 'deny.log'), cursors: [], now: Date.now, signal });
  t.teardown(() => tail.close());
  await t.rejects(tail.next(), { code: 'EDW_ERR_DENY_LOG_UNREADABLE', message: /permission denied/ });
  process.seteuid?.(process.getuid?.() ?? 0);
  chmodSync(dir, 0o755);
  t.equal((await tail.next())?.cursors.length, 1, 'and is read as soon as it can be');
});
