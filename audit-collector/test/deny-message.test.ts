import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import t from 'tap';
import { readDenyMessage } from '../src/deny-message.ts';
import { denyMessage, denyRecord, search } from './kit.ts';

const read = (text: string): ReturnType<typeof readDenyMessage> =>
  readDenyMessage({ kind: 'message', bytes: Buffer.from(text) });

t.test('a message of the iRules gives its number and its record', async (t) => {
  const message = read(denyMessage({ tmm: 3, epoch: 'a-1', seq: 17, suppressed: 4 }));
  t.strictSame(message, {
    number: { tmm: 3, epoch: 'a-1', seq: 17, suppressed: 4 },
    record: denyRecord({ ref: 'ref-17', object: '/Common/vs_orders' }),
    unparsed: null,
  });
  const plain = denyMessage({ seq: 1 });
  const dressed = plain
    .replace('[edgeward', '[origin ip="192.0.2.1"][edgeward')
    .replace('] {', '][x@1 y="\\""] \uFEFF{');
  t.strictSame(read(dressed), read(plain), 'other elements and a byte order mark change nothing');
  const claimed = plain.replace('bigip-a.example edgeward', 'another nginx');
  t.strictSame(read(claimed), read(plain), 'nor does who it says it is');
});

t.test('a message without a usable number is told from a foreign one', async (t) => {
  const of = (numbering: object): string => denyMessage({ seq: 1, ...numbering });
  const table: [name: string, text: string, cause: string][] = [
    ['nothing', '', 'empty'],
    ['prose', 'Kernel panic', 'not-syslog'],
    ['BSD syslog', '<13>Oct 11 22:14:15 host app: text', 'not-syslog'],
    ['a log of something else', '<134>1 - h app - - - user logged in', 'foreign'],
    ['our text without our element', denyMessage({ seq: 1 }).replace('edgeward@32473', 'edgeward@1'), 'foreign'],
    ['number 0', of({ seq: 0 }), 'bad-sequence'],
    ['a leading zero', of({ seq: '01' }), 'bad-sequence'],
    ['a sign', of({ seq: '-1' }), 'bad-sequence'],
    ['an exponent', of({ seq: '1e3' }), 'bad-sequence'],
    ['a fraction', of({ seq: '1.5' }), 'bad-sequence'],
    ['nothing for a number', of({ seq: '' }), 'bad-sequence'],
    ['10^15', of({ seq: '1000000000000000' }), 'bad-sequence'],
    ['10^400', of({ seq: `1${'0'.repeat(400)}` }), 'bad-sequence'],
    ['a suppressed count of 10^15', of({ suppressed: '1000000000000000' }), 'bad-sequence'],
    ['a TMM past 65535', of({ tmm: 65_536 }), 'bad-sequence'],
    ['an empty epoch', of({ epoch: '' }), 'bad-sequence'],
    ['a long epoch', of({ epoch: 'e'.repeat(33) }), 'bad-sequence'],
    ['an epoch with a blank', of({ epoch: 'a b' }), 'bad-sequence'],
    ['no suppressed', of({}).replace(' suppressed="0"', ''), 'bad-sequence'],
    ['two numbers', of({}).replace(' seq="1"', ' seq="1" seq="2"'), 'bad-sequence'],
  ];
  for (const [name, text, cause] of table) {
    const message = read(text);
    t.match(message, { number: null, record: null, unparsed: { cause } }, name);
    t.ok((message.unparsed?.sample.length ?? 0) <= 1_024, `${name}: the sample is bounded`);
  }
});

t.test('a record that cannot be read still has its number', async (t) => {
  const good = denyMessage({ seq: 5 });
  const table: [name: string, text: string, cause: string][] = [
    ['cut short', good.slice(0, -40), 'torn'],
    ['prose', good.replace(/\{.*/, 'prose'), 'not-json'],
    ['no text', good.replace(/ \{.*/, ''), 'empty'],
    ['another version', good.replace('"v":1', '"v":2'), 'wrong-version'],
    ['a source in a route domain', denyMessage({ seq: 5 }, { source: '10.1.1.1%1' }), 'wrong-shape'],
    ['a torn one and the next', `${good.slice(0, -40)}${denyMessage({ seq: 6 })}`, 'torn'],
    ['two records', `${good}${JSON.stringify(denyRecord())}`, 'torn'],
  ];
  for (const [name, text, cause] of table)
    t.match(read(text), { number: { seq: 5 }, record: null, unparsed: { cause } }, name);
});

t.test('no bytes break it', async (t) => {
  const good = Buffer.from(denyMessage({ seq: 1 }));
  const change = fc.tuple(fc.nat({ max: good.length - 1 }), fc.nat({ max: 255 }));
  fc.assert(
    fc.property(fc.array(change, { maxLength: 8 }), fc.nat({ max: good.length }), (changes, length) => {
      const bytes = Buffer.from(good.subarray(0, length));
      for (const [at, value] of changes) if (at < length) bytes[at] = value;
      const { number, record, unparsed } = readDenyMessage({ kind: 'message', bytes });
      assert.equal(record === null, unparsed !== null, 'a record, or why there is none');
      assert.ok(record === null || number !== null, 'no record without a number');
    }),
    search(t, 1_000),
  );
});
