import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import t from 'tap';
import { parseSyslog } from '../src/syslog-message.ts';
import { search } from './kit.ts';

const read = (text: string): ReturnType<typeof parseSyslog> => parseSyslog(Buffer.from(text));
const elementsOf = (data: string): Record<string, unknown> | null => {
  const message = read(`<134>1 - - - - - ${data}`);
  return message === null ? null : Object.fromEntries(message.elements);
};

t.test('a message of RFC 5424 is read', async (t) => {
  const examples: [text: string, expected: object, body: string][] = [
    [
      "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \uFEFF'su root' failed",
      {
        priority: 34,
        timestamp: '2003-10-11T22:14:15.003Z',
        hostname: 'mymachine.example.com',
        appName: 'su',
        procId: null,
        msgId: 'ID47',
      },
      "'su root' failed",
    ],
    [
      "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time",
      { priority: 165, timestamp: '2003-08-24T05:14:15.000003-07:00', procId: '8710' },
      "%% It's time",
    ],
    ['<0>1 - - - - - -', { priority: 0, timestamp: null, hostname: null }, ''],
    ['<191>1 - h a p m - ', { priority: 191, hostname: 'h', appName: 'a', procId: 'p', msgId: 'm' }, ''],
    ['<1>1 - - - - - [a@1]', {}, ''],
    ['<1>1 - - - - - [a@1][b@1 k="v"] text', {}, 'text'],
  ];
  for (const [text, expected, body] of examples) {
    const message = read(text);
    t.match(message, expected, text);
    t.equal(message?.body.toString(), body, text);
  }
});

t.test('structured data is read as its grammar says', async (t) => {
  const table: [data: string, expected: Record<string, unknown> | null][] = [
    ['-', {}],
    ['[a@1]', { 'a@1': [] }],
    [
      '[a@1 k="v"][b@1 k="w" k="x"]',
      {
        'a@1': [['k', 'v']],
        'b@1': [
          ['k', 'w'],
          ['k', 'x'],
        ],
      },
    ],
    ['[a k="\\"\\\\\\]"]', { a: [['k', '"\\]']] }],
    ['[a k="\\n\\x"]', { a: [['k', '\\n\\x']] }],
    ['[a k="\\\\"]', { a: [['k', '\\']] }],
    ['[a k="é [ \u{1F600}"]', { a: [['k', 'é [ \u{1F600}']] }],
    ['[a k=""]', { a: [['k', '']] }],
    ['[a k="v]"]', null],
    ['[a k="v\\"]', null],
    ['[a k="v"', null],
    ['[a k="v" ]', null],
    ['[a  k="v"]', null],
    ['[a k=v]', null],
    ['[a k]', null],
    ['[ a]', null],
    ['[]', null],
    ['[a][a]', null],
    ['[a] [b]', { a: [] }],
    ['[a]x', null],
    ['x', null],
    ['', null],
    [`[${'a'.repeat(32)}]`, { ['a'.repeat(32)]: [] }],
    [`[${'a'.repeat(33)}]`, null],
    [`[a ${'k'.repeat(33)}="v"]`, null],
    [Array.from({ length: 33 }, (_, i) => `[e${i}]`).join(''), null],
    [`[a${' k="v"'.repeat(65)}]`, null],
  ];
  for (const [data, expected] of table) t.strictSame(elementsOf(data), expected, data);
});

t.test('what is no such message is refused', async (t) => {
  const table = [
    '',
    'hello',
    '<134>Oct 11 22:14:15 host app: BSD syslog',
    '<192>1 - - - - - -',
    '<01>1 - - - - - -',
    '<1234>1 - - - - - -',
    '<>1 - - - - - -',
    '<1>2 - - - - - -',
    '<1>1  - - - - - -',
    '<1>1 - - - - -',
    '<1>1 - - - - - ',
    '<1>1 - é - - - -',
    `<1>1 - ${'h'.repeat(256)} - - - -`,
    `<1>1 - - ${'a'.repeat(49)} - - -`,
    `<1>1 - - - ${'p'.repeat(129)} - -`,
    `<1>1 - - - - ${'m'.repeat(33)} -`,
    '<1>1 2003-13-24T05:14:15Z - - - - -',
    '<1>1 2003-08-24T24:14:15Z - - - - -',
    '<1>1 2003-08-24T05:14:15 - - - - -',
    '<1>1 2003-08-24T05:14:15.0000001Z - - - - -',
    '<1>1 2003-08-24t05:14:15z - - - - -',
    ' <1>1 - - - - - -',
  ];
  for (const text of table) t.equal(read(text), null, text);
  const longest = `<191>1 2003-08-24T05:14:15.000003-07:00 ${'h'.repeat(255)} ${'a'.repeat(48)} ${'p'.repeat(128)} ${'m'.repeat(32)} - x`;
  t.equal(read(longest)?.body.toString(), 'x', 'the longest header passes');
});

t.test('what was written by the grammar is read back', async (t) => {
  const name = fc.stringMatching(/^[!#-<>-\\^-~]{1,32}$/);
  const value = fc.string({ unit: 'grapheme', maxLength: 40 });
  const element = fc.tuple(name, fc.array(fc.tuple(name, value), { maxLength: 5 }));
  const data = fc.uniqueArray(element, { minLength: 1, maxLength: 5, selector: ([id]) => id });
  const escaped = (text: string): string => text.replace(/["\\\]]/g, '\\$&');
  fc.assert(
    fc.property(data, fc.string({ unit: 'grapheme' }), (elements, body) => {
      const written = elements.map(([id, own]) => `[${id}${own.map(([k, v]) => ` ${k}="${escaped(v)}"`).join('')}]`);
      const message = read(`<134>1 - h a - m ${written.join('')} \uFEFF${body}`);
      assert.deepEqual([...(message?.elements ?? [])], elements);
      assert.equal(message?.body.toString(), Buffer.from(body).toString());
    }),
    search(t, 300),
  );
});

t.test('no bytes break it, however long', async (t) => {
  const start = fc.constantFrom(
    '',
    '<134>1 ',
    '<134>1 - h a - m ',
    '<134>1 - h a - m [a k="',
    '<134>1 - h a - m [a@1]',
  );
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.string({ unit: fc.constantFrom(...'[]"\\ =-a1<>') }).map(Buffer.from),
  );
  fc.assert(
    fc.property(start, bytes, (start, bytes) => {
      const message = parseSyslog(Buffer.concat([Buffer.from(start), bytes]));
      assert.ok(message === null || message.elements.size <= 32);
    }),
    search(t, 500),
  );
  for (const unit of ['[', ']', '\\', '"', '[a]', ' k="', '<1>', '- ', '\\"']) {
    const text = `<134>1 - h a - m [a k="${unit.repeat(65_000 / unit.length)}`;
    t.equal(read(text), null, unit);
  }
});
