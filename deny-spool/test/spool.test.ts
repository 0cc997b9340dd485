/** What a spool promises while nothing goes wrong, and over closings. */
import { appendFileSync, readdirSync, readFileSync, readlinkSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { entry, openSpool, readAll, texts, told } from './kit.ts';

t.test('records have numbers from 1 in the order in which they came', async (t) => {
  const spool = await openSpool(t);
  t.strictSame(await spool.append(entry(['a', 'b'])), { state: 'written', first: 1, next: 3 });
  const both = await Promise.all([spool.append(entry(['c'])), spool.append(entry(['d', 'e']))]);
  t.strictSame(both, [
    { state: 'written', first: 3, next: 4 },
    { state: 'written', first: 4, next: 6 },
  ]);
  t.strictSame(await readAll(spool), { 1: 'a', 2: 'b', 3: 'c', 4: 'd', 5: 'e' });
  t.match(spool.status(), { pending: 5, shed: null, cause: null });
});

t.test('reading begins at the first that was not acknowledged, and ends at either bound', async (t) => {
  const spool = await openSpool(t);
  await spool.append(entry(['aaaa', 'bbbb', 'cccc', 'dddd']));
  const cases: [string, { records: number; bytes: number }, string[]][] = [
    ['so many records', { records: 3, bytes: 1000 }, ['aaaa', 'bbbb', 'cccc']],
    ['so many bytes', { records: 10, bytes: 9 }, ['aaaa', 'bbbb']],
    ['at least one', { records: 10, bytes: 1 }, ['aaaa']],
  ];
  for (const [name, bounds, expected] of cases) t.strictSame(texts(await spool.read(bounds)), expected, name);
  await spool.acknowledge(2);
  t.strictSame(texts(await spool.read({ records: 10, bytes: 1000 })), ['cccc', 'dddd']);
  await spool.acknowledge(1);
  t.equal(spool.status().pending, 2, 'what was acknowledged stays so');
  await spool.acknowledge(99);
  t.equal(spool.status().pending, 2, 'a number that was never given acknowledges nothing');
});

t.test('over a closing all stays: epoch, numbers, note, and what was acknowledged', async (t) => {
  const folder = t.testdir({});
  const first = await openSpool(t, { folder });
  await first.append({ ...entry(['a', 'b', 'c']), note: 'read up to 17' });
  await first.acknowledge(2);
  await first.close();
  const second = await openSpool(t, { folder });
  t.equal(second.epoch, first.epoch);
  t.equal(second.note(), 'read up to 17');
  t.strictSame(await second.append(entry(['d'])), { state: 'written', first: 4, next: 5 });
  t.strictSame(await readAll(second), { 3: 'c', 4: 'd' });
  t.equal(second.note(), 'read up to 17', 'an entry without a note leaves the one before');
});

t.test('texts of any length and script are read as they were kept, and half a character as U+FFFD', async (t) => {
  const folder = t.testdir({});
  const spool = await openSpool(t, { folder });
  const records = [
    '',
    'é',
    '€'.repeat(4_096),
    '€'.repeat(4_097),
    '😀'.repeat(2_048),
    'x'.repeat(100_000),
    'a\ud800b',
    '\0',
  ];
  const note = '😀'.repeat(1_500);
  await Promise.all([spool.append({ ...entry(records), note }), spool.append(entry(records))]);
  await spool.close();
  const again = await openSpool(t, { folder });
  const kept = records.map((record) => record.replace('\ud800', '\ufffd'));
  t.strictSame(Object.values(await readAll(again)), [...kept, ...kept]);
  t.equal(again.note(), note);
  t.equal(again.status().tornBytes, 0);
});

t.test('numbers go on where everything was acknowledged', async (t) => {
  const folder = t.testdir({});
  const first = await openSpool(t, { folder, segmentBytes: 100 });
  for (let turn = 0; turn < 5; turn += 1) await first.append(entry(['x'.repeat(80)]));
  await first.acknowledge(5);
  t.equal(readdirSync(folder).filter((name) => name.endsWith('.segment')).length, 1, 'segments go with their records');
  await first.close();
  const second = await openSpool(t, { folder });
  t.strictSame(await readAll(second), {});
  t.match(await second.append(entry(['y'])), { first: 6 });
});

t.test('what a kill cut off goes and is told, and what was whole stays', async (t) => {
  const whole = ['a', 'b', 'c'];
  const damages: [string, (path: string) => void, string[]][] = [
    ['half a frame more', (path) => appendFileSync(path, Buffer.from([60, 0, 0, 0, 1, 2])), whole],
    ['zeros, as after a power failure', (path) => appendFileSync(path, Buffer.alloc(500)), whole],
    ['the last frame is cut', (path) => truncateSync(path, readFileSync(path).length - 1), ['a', 'b']],
    ['a bit of the last frame', (path) => flip(path, -1), ['a', 'b']],
    ['a length out of all bounds', (path) => appendFileSync(path, Buffer.alloc(40, 255)), whole],
  ];
  for (const [name, damage, kept] of damages) {
    const folder = t.testdir({});
    const first = await openSpool(t, { folder });
    for (const record of whole) await first.append(entry([record]));
    await first.close();
    damage(join(folder, segmentIn(folder)));
    const second = await openSpool(t, { folder });
    t.ok(second.status().tornBytes > 0, `${name}: told`);
    t.strictSame(Object.values(await readAll(second)), kept, name);
    t.equal(second.epoch, first.epoch, name);
    await second.close();
  }
});

t.test('a number that was read by anybody never has another content, whatever the disk lost', async (t) => {
  const folder = t.testdir({});
  const first = await openSpool(t, { folder });
  for (const record of ['a', 'b', 'c']) await first.append(entry([record]));
  await readAll(first);
  await first.close();
  flip(join(folder, segmentIn(folder)), -1);
  const second = await openSpool(t, { folder });
  t.match(await second.append(entry(['d'])), { first: 4 }, 'what was number 3 is lost, and its number with it');
  t.strictSame(await readAll(second), { 1: 'a', 2: 'b', 4: 'd' });
});

t.test('a spool without its standing goes on from its segments', async (t) => {
  for (const content of [null, Buffer.alloc(0), Buffer.alloc(16_384, 7)]) {
    const folder = t.testdir({});
    const first = await openSpool(t, { folder });
    await first.append({ ...entry(['a']), note: 'noted' });
    await first.close();
    if (content === null) truncateSync(join(folder, 'standing'), 0);
    else writeFileSync(join(folder, 'standing'), content);
    const second = await openSpool(t, { folder });
    t.equal(second.epoch, first.epoch);
    t.equal(second.note(), 'noted');
    t.match(await second.append(entry(['b'])), { first: 2 });
    await second.close();
  }
});

t.test('a segment of another spool is set aside and never sent', async (t) => {
  const folder = t.testdir({ ours: {}, theirs: {} });
  const [here, there] = [join(folder, 'ours'), join(folder, 'theirs')];
  const [one, other] = [await openSpool(t, { folder: here }), await openSpool(t, { folder: there })];
  await other.append(entry(['foreign']));
  await Promise.all([one.close(), other.close()]);
  writeFileSync(join(here, '0000000000000009.segment'), readFileSync(join(there, segmentIn(there))));
  const again = await openSpool(t, { folder: here });
  t.strictSame(await readAll(again), {});
  t.ok(again.status().tornBytes > 0);
  t.ok(readdirSync(here).includes('0000000000000009.segment.foreign'));
});

t.test('without room what comes is added up, and one record tells of it as soon as there is room', async (t) => {
  const spool = await openSpool(t, { maxBytes: 2000, segmentBytes: 500 });
  const big = 'x'.repeat(200);
  let written = 0;
  for (let turn = 0; turn < 20; turn += 1) {
    const appended = await spool.append({ records: [big], count: 7, fromMs: 1000 + turn, toMs: 1001 + turn });
    if (appended.state === 'written') written += 1;
  }
  const shed = (20 - written) * 7;
  t.match(spool.status(), { shed: { count: shed, fromMs: 1000 + written, toMs: 1020 }, cause: 'spool-full' });
  t.ok(spool.status().bytes <= 2000, 'the bound holds');
  await spool.acknowledge(written);
  t.match(await spool.append(entry(['after'])), { state: 'written', first: written + 1, next: written + 3 });
  t.strictSame(await readAll(spool), {
    [written + 1]: `gap of ${shed} from ${1000 + written} to 1020`,
    [written + 2]: 'after',
  });
  t.match(spool.status(), { shed: null, cause: null });
});

t.test('what was added up is there after a closing, with the note of that time', async (t) => {
  const folder = t.testdir({});
  const first = await openSpool(t, { folder, maxBytes: 150 });
  t.match(await first.append({ ...entry(['a'.repeat(40)]), note: 'early' }), { state: 'written' });
  t.match(await first.append({ ...entry(['b'.repeat(40)]), count: 3, note: 'late' }), { state: 'shed' });
  await first.close();
  const second = await openSpool(t, { folder });
  t.equal(second.note(), 'late');
  t.match(second.status(), { shed: { count: 3 } });
  await second.append(entry([]));
  t.match(Object.values(await readAll(second)), ['a'.repeat(40), /^gap of 3 /], 'an empty entry is enough to tell');
  await second.close();
  const third = await openSpool(t, { folder });
  t.equal(third.status().shed, null, 'told once');
});

t.test('an entry larger than any frame is shed, and holds nothing up', async (t) => {
  const spool = await openSpool(t);
  t.strictSame(await spool.append(entry(['x'.repeat(5 * 1024 * 1024)])), { state: 'shed' });
  t.match(await spool.append(entry(['y'])), { state: 'written' });
});

t.test('more than a slow disk can take is shed, and all of it is counted', async (t) => {
  const spool = await openSpool(t);
  const record = 'x'.repeat(512 * 1024);
  const appended = await Promise.all(Array.from({ length: 40 }, () => spool.append(entry([record]))));
  const shed = appended.filter(({ state }) => state === 'shed').length;
  t.ok(shed > 0 && shed < 40, `${shed} of 40`);
  t.equal((spool.status().shed?.count ?? 0) + told(Object.values(await readAll(spool))), shed);
});

t.test('a folder that can not be written is a coded error', async (t) => {
  const folder = join(t.testdir({ file: '' }), 'file');
  await t.rejects(openSpool(t, { folder }), { code: 'EDW_ERR_STATE_WRITE' });
});

function segmentIn(folder: string): string {
  return readdirSync(folder).findLast((name) => name.endsWith('.segment')) ?? '';
}

function flip(path: string, at: number): void {
  const content = readFileSync(path);
  const index = content.length + at;
  content.writeUInt8((content[index] ?? 0) ^ 1, index);
  writeFileSync(path, content);
}

t.test('one that can not be opened leaves no file open', async (t) => {
  const folder = t.testdir({ '0000000000000001.segment': {} });
  const openFiles = (): string[] =>
    readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        const path = readlinkSync(`/proc/self/fd/${fd}`);
        return path.startsWith(folder) ? [path] : [];
      } catch {
        return []; // the one by which they are listed
      }
    });
  for (let tries = 0; tries < 5; tries += 1)
    await t.rejects(openSpool(t, { folder }), { code: 'EDW_ERR_STATE_WRITE' }, 'a folder in the place of a segment');
  t.strictSame(openFiles(), []);
  rmSync(join(folder, '0000000000000001.segment'), { recursive: true });
  t.match(await (await openSpool(t, { folder })).append(entry(['a'])), { first: 1 });
});
