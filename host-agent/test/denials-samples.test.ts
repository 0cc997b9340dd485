/** Lines of samples, whatever is in them, and the file that they are in. */
import {
  appendFileSync,
  existsSync,
  readdirSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { createLogger, systemClock } from '@edgeward/runtime';
import t, { type Test } from 'tap';
import { createNetfilter, type RunTool } from '../driver/index.ts';
import { createDenials, type HostDenials } from '../src/denials/index.ts';
import { readSampleLine } from '../src/denials/sample.ts';
import { openSampleFile, type Places, type SampleFile } from '../src/denials/sample-file.ts';
import { netlinkDropsIn } from '../src/denials/ulogd.ts';
import { isPlainPath, ulogdConfiguration } from '../src/denials/ulogd-configuration.ts';
import { until } from './fixtures/denials-stage.ts';

/** As ulogd 2.0.8 writes it, without what nobody reads. */
const LINE: Record<string, unknown> = {
  timestamp: '2026-11-23T00:50:39.169105',
  'oob.prefix': 'ew1|i|12|abcdef01',
  'oob.time.sec': 1_795_395_039,
  'oob.time.usec': 169_105,
  'ip.protocol': 6,
  src_port: 54_608,
  dest_port: 99,
  src_ip: '203.0.113.9',
  dest_ip: '10.40.0.7',
};
const SAMPLE = {
  hook: 'input',
  generation: 12,
  policy: 'abcdef01',
  source: '203.0.113.9',
  sourcePort: 54_608,
  destination: '10.40.0.7',
  port: 'tcp/99',
  atMs: 1_795_395_039_169,
};
const line = (changes: Record<string, unknown> = {}): string => JSON.stringify({ ...LINE, ...changes });

t.test('a line is a sample, of somebody else, or not to be read', (t) => {
  const samples: [string, string, object][] = [
    ['as ulogd writes it', line(), SAMPLE],
    [
      'UDP to a container',
      line({ 'oob.prefix': 'ew1|f|1|00000000', 'ip.protocol': 17 }),
      { hook: 'forward', port: 'udp/99' },
    ],
    ['IPv6, in any form', line({ src_ip: '2001:DB8:0:0::9' }), { source: '2001:db8::9' }],
    ['without a time', line({ 'oob.time.sec': undefined }), { atMs: null }],
    ['a time that is none', line({ 'oob.time.sec': 'now' }), { atMs: null }],
    ['behind half a line of a writer that was killed', `{"timestamp": "2026-11-2${line()}`, SAMPLE],
    ['keys that mean something to JavaScript', line().replace('{', '{"__proto__": {"src_ip": "10.0.0.1"}, '), SAMPLE],
  ];
  for (const [name, text, sample] of samples) t.match(readSampleLine(text), { state: 'sample', sample }, name);
  const foreign = [
    line({ 'oob.prefix': 'ufw-block' }),
    line({ 'oob.prefix': undefined }),
    '{}',
    line({ 'oob.prefix': 7 }),
  ];
  for (const text of foreign) t.strictSame(readSampleLine(text), { state: 'foreign' }, text.slice(0, 60));
  const unreadable: [string, string][] = [
    ['nothing', ''],
    ['no JSON', 'ew1|i|12|abcdef01'],
    ['half of it', line().slice(0, 90)],
    ['a list', '[1]'],
    ['null', 'null'],
    ['a prefix with something after it', line({ 'oob.prefix': 'ew1|i|12|abcdef01|x' })],
    ['a prefix of another hook', line({ 'oob.prefix': 'ew1|o|12|abcdef01' })],
    ['a prefix with a path', line({ 'oob.prefix': 'ew1|i|12|../../../etc' })],
    ['a prefix in capitals', line({ 'oob.prefix': 'ew1|i|12|ABCDEF01' })],
    ['a name in place of an address', line({ src_ip: 'db.example' })],
    ['an octal address', line({ src_ip: '010.0.0.1' })],
    ['no destination', line({ dest_ip: undefined })],
    ['a port out of bounds', line({ dest_port: 65_536 })],
    ['a port that is text', line({ dest_port: '99' })],
    ['no port: a fragment', line({ dest_port: undefined, src_port: undefined })],
    ['a protocol without ports', line({ 'ip.protocol': 1 })],
    ['a control character in the text', line().replace('ew1', 'e\u0000w1')],
    ['more than any line has', line({ padding: 'x'.repeat(20_000) })],
    ['depth', '['.repeat(10_000)],
  ];
  for (const [name, text] of unreadable) t.strictSame(readSampleLine(text), { state: 'unreadable' }, name);
  t.end();
});

async function opened(
  t: Test,
  places: Places | null = null,
  folder: string = t.testdir({}),
): Promise<{ file: SampleFile; path: string; lines(): Promise<string[]> }> {
  const path = join(folder, 'samples.json');
  const file = await openSampleFile({ path, places, reopen: () => true, maxBytes: 100 });
  return {
    file,
    path,
    lines: async () => {
      const found: string[] = [];
      await file.read((one) => found.push(one));
      return found;
    },
  };
}

t.test('lines are read once each, when they are whole', async (t) => {
  const { file, path, lines } = await opened(t);
  t.strictSame(await lines(), [], 'before there is a file');
  writeFileSync(path, 'one\ntw');
  t.equal(await file.hasMore(), true);
  t.strictSame(await lines(), ['one']);
  t.strictSame(await lines(), []);
  appendFileSync(path, 'o\nthree\n');
  t.strictSame(await lines(), ['two', 'three']);
  t.equal(await file.hasMore(), false);
  truncateSync(path, 0);
  appendFileSync(path, 'four\n');
  t.strictSame(await lines(), ['four'], 'somebody emptied it');
});

t.test('what never ends is passed over, and what is long is read whole', async (t) => {
  const { path, lines } = await opened(t);
  writeFileSync(path, `${'x'.repeat(700_000)}\nafter\n`);
  const found = await lines();
  t.equal(found.at(-1), 'after');
  t.ok(
    found.slice(0, -1).every((one) => one !== 'after'),
    'the rest is nothing that could be a sample',
  );
  const many = Array.from({ length: 20_000 }, (_, n) => `line ${n} ${'y'.repeat(50)}`);
  appendFileSync(path, many.map((one) => `${one}\n`).join(''));
  t.strictSame(await lines(), many, 'over the borders of pieces');
});

t.test('a file that has grown is put aside, read to its end, and deleted when that is accounted for', async (t) => {
  const { file, path, lines } = await opened(t);
  writeFileSync(path, `${'a'.repeat(120)}\n`);
  await lines();
  await file.settle();
  t.notOk(existsSync(path));
  appendFileSync(`${path}.aside`, 'written by one that did not hear yet\n');
  writeFileSync(path, 'of the new one\n');
  t.strictSame(await lines(), ['written by one that did not hear yet', 'of the new one']);
  await file.settle();
  t.ok(existsSync(`${path}.aside`), 'something came, so something may come');
  t.strictSame(await lines(), []);
  t.ok(existsSync(`${path}.aside`), 'not before it is accounted for');
  await file.settle();
  t.strictSame(readdirSync(join(path, '..')), ['samples.json']);
});

t.test('whoever begins again begins where the places say', async (t) => {
  const folder = t.testdir({});
  const first = await opened(t, null, folder);
  writeFileSync(first.path, 'one\ntwo\n');
  await first.lines();
  const places = first.file.places();
  appendFileSync(first.path, 'three\n');
  t.strictSame(await (await opened(t, places, folder)).lines(), ['three'], 'in the same file');
  renameSync(first.path, `${first.path}.aside`);
  writeFileSync(first.path, 'four\n');
  t.strictSame(await (await opened(t, places, folder)).lines(), ['three', 'four'], 'put aside since');
  t.strictSame(await (await opened(t, null, folder)).lines(), ['one', 'two', 'three', 'four'], 'with nothing known');
  const inNew = await opened(t, { aside: null, current: { inode: statSync(first.path).ino, offset: 0 } }, folder);
  t.strictSame(await inNew.lines(), ['four'], 'what lies aside was read');
});

t.test('a link in place of the file is not followed, and no file grows without bound', async (t) => {
  const folder = t.testdir({ other: 'secret\n' });
  const linked = await opened(t, null, folder);
  symlinkSync(join(folder, 'other'), linked.path);
  t.strictSame(await linked.lines(), []);
  const { file, path } = await opened(t, null, t.testdir({}));
  writeFileSync(path, 'x'.repeat(401));
  await file.bound();
  t.equal(statSync(path).size, 0);
});

/** Nothing is sampled and nobody is asked. */
async function counting(
  t: Test,
  stateDir: string,
  runtimeDir: string,
): Promise<{ denials: HostDenials; logged: string[] }> {
  const run: RunTool = () => Promise.reject(new Error('nobody is asked'));
  const logged: string[] = [];
  const denials = await createDenials({
    ...{ stateDir, runtimeDir, netfilter: createNetfilter('nft', run), runTool: run, clock: systemClock },
    send: () => Promise.reject(new Error('nothing is sent')),
    logger: createLogger({ level: 'warn', destination: { write: (line) => void logged.push(line) } }),
    ...{ windowMs: 20, ulogdFolders: [] },
  });
  t.teardown(() => denials.close());
  return { denials, logged };
}

const saysTorn = (line: string): boolean => line.includes('denials_torn');

t.test('what a spool lost by damage is said', async (t) => {
  const damaged = { denials: { spool: { '0000000000000001.segment': 'x'.repeat(100) } } };
  const folder = t.testdir({ whole: {}, damaged, run: {} });
  const { logged: before } = await counting(t, join(folder, 'whole'), join(folder, 'run'));
  t.strictSame(before.filter(saysTorn), [], 'nothing of a new one');
  const { logged } = await counting(t, join(folder, 'damaged'), join(folder, 'run'));
  t.match(JSON.parse(logged.find(saysTorn) ?? '{}'), { event: 'denials_torn', bytes: 100 });
});

t.test('while the spool can not be opened what ulogd writes does not grow without bound', async (t) => {
  const folder = t.testdir({ state: { denials: { spool: 'no folder' } }, run: {} });
  const [stateDir, runtimeDir] = [join(folder, 'state'), join(folder, 'run')];
  const path = join(runtimeDir, 'samples.json');
  const { denials } = await counting(t, stateDir, runtimeDir);
  t.ok(denials.warnings().some((words) => words.startsWith('opening the spool of denials')));
  writeFileSync(path, '');
  truncateSync(path, 64 * 1024 * 1024 + 1);
  await until('it begins anew', () => statSync(path).size === 0);
});

t.test('drops of a socket are read from the table of the kernel', (t) => {
  const table = [
    'sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode',
    '00000000e05ef5af 12  0          00000000 0        0        0     2        5        9547907 ',
    '00000000b5870f48 12  28426      00000000 0        0        0     2        17       9549023 ',
    '000000001f1f778d 15  28426      00000000 0        0        0     2        9        9547903 ',
  ].join('\n');
  t.equal(netlinkDropsIn(table, 28_426), 17);
  t.equal(netlinkDropsIn(table, 1), null);
  t.equal(netlinkDropsIn('', 28_426), null);
  t.end();
});

t.test('nothing but plain paths come into a configuration', (t) => {
  t.match(
    ulogdConfiguration(['/usr/lib/ulogd/a.so'], '/run/edgeward-agent/samples.json'),
    /^file="\/run\/edgeward-agent\/samples.json"$/m,
  );
  for (const [path, plain] of [
    ['/run/edgeward-agent', true],
    ['/run/"x', false],
    ['/run/x\ngroup=0', false],
    ['/run/x #', false],
  ] as const)
    t.equal(isPlainPath(path), plain, path);
  t.end();
});
