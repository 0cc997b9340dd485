import t from 'tap';
import { maxLineBytes, parseDenyLine } from '../src/deny-log.ts';
import { denyLine, denyRecord } from './lines.ts';

const good = denyLine().trimEnd();
const changed = (overrides: Record<string, unknown>): string => JSON.stringify({ ...denyRecord(), ...overrides });
const without = (key: string): string =>
  JSON.stringify(Object.fromEntries(Object.entries(denyRecord()).filter(([name]) => name !== key)));

t.test('a line that NGINX wrote gives its record', async (t) => {
  t.strictSame(parseDenyLine(Buffer.from(good)), { records: [denyRecord()], unparsed: null });
  t.strictSame(parseDenyLine(Buffer.from(`${good}\r`)).records, [denyRecord()], 'a carriage return is no part of it');
  t.strictSame(parseDenyLine(Buffer.from(changed({ later: 1 }))).records, [denyRecord()], 'unknown keys are left out');
});

t.test('a port that is none was the reason of a denial, and is kept', async (t) => {
  for (const port of ['tcp/', 'tcp/https', 'tcp/0443'])
    t.equal(parseDenyLine(Buffer.from(changed({ port }))).records[0]?.port, port);
});

t.test('an empty rule or host is none: an NGINX without njs has no other way to say so', async (t) => {
  t.match(parseDenyLine(Buffer.from(changed({ rule: '', host: '' }))).records, [{ rule: null, host: null }]);
});

t.test('a line that stands for a flood tells its number and its window', async (t) => {
  const flood = { count: 4980, firstMs: 1795353467292, peer: null, peerPort: null, method: null, path: null };
  t.match(parseDenyLine(Buffer.from(changed(flood))).records, [flood]);
});

t.test('whatever is no record is counted by its cause and breaks nothing', async (t) => {
  const bomb = (open: string): string => open.repeat(60_000 / open.length);
  const table: [name: string, line: string, cause: string][] = [
    ['an empty line', '', 'empty'],
    ['blanks', ' \t ', 'empty'],
    ['a line past 64 KiB', changed({ path: '/'.repeat(maxLineBytes) }), 'too-long'],
    ['prose', 'GET / HTTP/1.1', 'not-json'],
    ['a torn line', good.slice(0, 60), 'torn'],
    ['a torn line without its first key', good.slice(7), 'not-json'],
    ['a bomb of arrays', bomb('['), 'not-json'],
    ['a bomb of objects', bomb('{"a":'), 'torn'],
    ['a bomb of record heads', bomb('{"v":1,'), 'torn'],
    ['a closed bomb', `${'['.repeat(20_000)}${']'.repeat(20_000)}`, 'wrong-shape'],
    ['null', 'null', 'wrong-shape'],
    ['a number', '1', 'wrong-shape'],
    ['an array of a record', `[${good}]`, 'wrong-shape'],
    ['another version', changed({ v: 2 }), 'wrong-version'],
    ['no version', without('v'), 'wrong-shape'],
    ['a version in words', changed({ v: '1' }), 'wrong-shape'],
    ['a prototype', '{"__proto__":{"v":1}}', 'wrong-shape'],
    ['NaN as time', good.replace(/"t":\d+/, '"t":NaN'), 'torn'],
    ['a time past year 9999', changed({ t: 1e15 }), 'wrong-shape'],
    ['a time before 1970', changed({ t: -1 }), 'wrong-shape'],
    ['a broken time', changed({ t: 1.5 }), 'wrong-shape'],
    ['an allow', changed({ verdict: 'allow' }), 'wrong-shape'],
    ['a reason to allow', changed({ reason: 'allowed-by-rule' }), 'wrong-shape'],
    ['a source that is no address', changed({ source: '10.9.9.9; DROP TABLE events' }), 'wrong-shape'],
    ['a source in a list', changed({ source: ['10.9.9.9'] }), 'wrong-shape'],
    ['a port without protocol', changed({ port: '443' }), 'wrong-shape'],
    ['a peer port past 65535', changed({ peerPort: 65536 }), 'wrong-shape'],
    ['a path that is an object', changed({ path: { toString: 1 } }), 'wrong-shape'],
    ['a reference of 2 KB', changed({ ref: 'x'.repeat(2048) }), 'wrong-shape'],
    ['a broken revision', changed({ revision: -1 }), 'wrong-shape'],
    ['a flood of none', changed({ count: 0 }), 'wrong-shape'],
    ['a flood in words', changed({ count: '20' }), 'wrong-shape'],
    ['a flood past what can be counted', changed({ count: 2 ** 60 }), 'wrong-shape'],
    ['a flood since before 1970', changed({ count: 2, firstMs: -1 }), 'wrong-shape'],
    ...Object.keys(denyRecord()).map((key): [string, string, string] => [`no ${key}`, without(key), 'wrong-shape']),
  ];
  for (const [name, line, cause] of table) {
    const parsed = parseDenyLine(Buffer.from(line));
    t.strictSame(parsed.records, [], name);
    t.equal(parsed.unparsed?.cause, cause, name);
    t.ok((parsed.unparsed?.sample.length ?? 0) <= 1024, `${name}: the sample is bounded`);
  }
});

t.test('a denial is not lost over a byte of its path', async (t) => {
  const [head, tail] = denyLine({ path: '/a|b' }).trimEnd().split('|') as [string, string];
  const line = Buffer.concat([Buffer.from(head), Buffer.from([0xff, 0xc0, 0x80]), Buffer.from(tail)]);
  const { records, unparsed } = parseDenyLine(line);
  t.equal(unparsed, null);
  t.match(records[0]?.path, /^\/a\uFFFD+b$/);
  t.equal(parseDenyLine(Buffer.from(changed({ path: '/\ud800x' }))).records[0]?.path, '/\uFFFDx', 'a lone surrogate');
  t.equal(parseDenyLine(Buffer.from(changed({ path: '/\0\u001b[31m' }))).records[0]?.path, '/\0\u001b[31m', 'NUL, ESC');
});

t.test('a record that follows a torn one in its line is whole', async (t) => {
  const table: [name: string, line: string, records: number, cause: string | undefined][] = [
    ['a torn head', `${good.slice(0, 50)}${good}`, 1, 'torn'],
    ['two torn heads', `${good.slice(0, 50)}${good.slice(0, 20)}${good}`, 1, 'torn'],
    ['a newline that was lost', `${good}${good}`, 2, undefined],
    ['a hole that a power failure left', `${'\0'.repeat(512)}${good}`, 1, 'torn'],
  ];
  for (const [name, line, records, cause] of table) {
    const parsed = parseDenyLine(Buffer.from(line));
    t.equal(parsed.records.length, records, name);
    t.equal(parsed.unparsed?.cause, cause, name);
  }
});

t.test('a client cannot write a record into its path', async (t) => {
  const forged = `x","a":${good}`;
  const torn = changed({ path: forged, host: forged }).slice(0, -20);
  t.strictSame(parseDenyLine(Buffer.from(torn)).records, []);
});
