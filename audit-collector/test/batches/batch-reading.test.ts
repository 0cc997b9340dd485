/** What of a batch is read, what is a sample of what could not be, and what is refused as a whole. */
import { MAX_BATCH_BYTES, MAX_BATCH_RECORDS } from '@edgeward/deny-log';
import t from 'tap';
import { type BatchRecord, MAX_EVENT_BYTES, readBatch, type Trust } from '../../src/batches/batch-reading.ts';
import { denyEvent } from '../../src/deny-event.ts';
import { denyRecord, labels } from '../kit.ts';

const epoch = '0123456789abcdef'.repeat(2);
const window = { windowStart: '2026-11-23T10:00:00.000Z', windowEnd: '2026-11-23T10:00:09.000Z' };
const head = (first: number, last: number, more: object = {}): object => ({
  ...{ v: 1, epoch, first, last, sentAt: '2026-11-23T10:00:10.000Z' },
  waiting: { records: 0, unreadBytes: 0, shed: 0 },
  ...more,
});
const textOf = (...lines: unknown[]): string =>
  `${lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n')}\n`;
const event = denyEvent(denyRecord(), 'edge-1', labels);
const mayAll: Trust = { sender: 'edge-1', maySpeakOf: () => true, mayLabel: true };

/** The record of one line. */
function recordOf(line: object | string, trust: Partial<Trust> = {}): BatchRecord | undefined {
  const seqs = typeof line === 'string' ? line : JSON.stringify({ seq: 7, ...line });
  return readBatch(textOf(head(7, 7), seqs), { ...mayAll, ...trust }).records[0];
}

t.test('every kind of record is read as it was sent', async (t) => {
  const kinds: object[] = [
    { kind: 'denial', denial: denyRecord() },
    { kind: 'denial', denial: denyRecord(), count: 12, firstMs: 1_763_900_000_000 },
    { kind: 'event', event },
    { kind: 'gap', cause: 'spool-full', count: 3, ...window },
    { kind: 'unparsed', cause: 'torn', sample: '{"v":1' },
    { kind: 'loss', cause: 'gone', inode: '18446744073709551615', offset: 91 },
  ];
  for (const kind of kinds) t.strictSame(recordOf(kind), { seq: 7, ...kind });
});

t.test('what another version adds is left out, and is no reason to refuse anything', async (t) => {
  t.strictSame(recordOf({ kind: 'denial', later: 1, denial: { ...denyRecord(), later: {} } }), {
    ...{ seq: 7, kind: 'denial', denial: denyRecord() },
  });
  t.strictSame(recordOf({ kind: 'event', event: { ...event, later: 1 } }), { seq: 7, kind: 'event', event });
  t.strictSame(readBatch(textOf(head(1, 0, { later: 1 })), mayAll).records, []);
});

t.test('a record that can not be read keeps its number, and is a sample of why', async (t) => {
  const table: [name: string, line: object][] = [
    ['a kind that is not known', { kind: 'flow', count: 1 }],
    ['no kind', { denial: denyRecord() }],
    ['a denial without a reason', { kind: 'denial', denial: { ...denyRecord(), reason: undefined } }],
    ['a count of none', { kind: 'denial', denial: denyRecord(), count: 0 }],
    ['an event of no point', { kind: 'event', event: { ...event, point: '' } }],
    ['an event at no time', { kind: 'event', event: { ...event, time: 'yesterday' } }],
    ['a gap of nothing', { kind: 'gap', cause: 'spool-full', count: 0, ...window }],
    ['a gap without a reason', { kind: 'gap', cause: 'tired', count: 1, ...window }],
    ['a loss of a file that is no file', { kind: 'loss', cause: 'gone', inode: "1' OR 1", offset: 0 }],
    ['a sample that is none', { kind: 'unparsed', cause: 'torn', sample: 1 }],
  ];
  for (const [name, line] of table) {
    const sample = JSON.stringify({ seq: 7, ...line }).slice(0, 1024);
    t.strictSame(recordOf(line), { seq: 7, kind: 'unparsed', cause: 'no-record', sample }, name);
  }
});

t.test('nobody speaks of a point that is not his, and the others are read', async (t) => {
  const mine = (point: string): boolean => point === 'edge-1';
  const other = { kind: 'event', event: { ...event, point: 'edge-2' } };
  t.match(recordOf(other, { maySpeakOf: mine }), { seq: 7, kind: 'unparsed', cause: 'other-point', sample: /edge-2/ });
  t.match(recordOf({ kind: 'denial', denial: denyRecord() }, { maySpeakOf: () => false }), { cause: 'other-point' });
  const lines = [other, { kind: 'event', event }].map((line, index) => ({ seq: index + 1, ...line }));
  const { records } = readBatch(textOf(head(1, 2), ...lines), {
    ...mayAll,
    sender: 'svc',
    maySpeakOf: mine,
  });
  t.strictSame(
    records.map(({ kind }) => kind),
    ['unparsed', 'event'],
  );
});

t.test('labels are taken from nobody but a service', async (t) => {
  const forged = { kind: 'event', event: { ...event, sourceLabels: { app: 'payroll' } } };
  const sample = JSON.stringify({ seq: 7, ...forged }).slice(0, 1024);
  t.strictSame(recordOf(forged, { mayLabel: false }), { seq: 7, kind: 'unparsed', cause: 'no-record', sample });
  t.match(recordOf({ kind: 'denial', denial: denyRecord() }, { mayLabel: false }), { kind: 'denial' });
});

t.test('who may speak of every point may not make up what no point can be called', async (t) => {
  for (const point of [
    "edge-1' OR 1",
    'edge 1',
    'edge\n1',
    '\u001b[2J',
    '=cmd',
    '-',
    'é',
    'x'.repeat(64),
    '__proto__',
  ]) {
    t.match(recordOf({ kind: 'event', event: { ...event, point } }), { cause: 'other-point' }, JSON.stringify(point));
  }
});

t.test('an event that would fill the memory of whoever reads it is kept as a sample', async (t) => {
  const wide = (bytes: number): object => ({ ...event, path: `/${'x'.repeat(bytes)}` });
  t.match(recordOf({ kind: 'event', event: wide(MAX_EVENT_BYTES - 2_000) }), { kind: 'event' });
  t.match(recordOf({ kind: 'event', event: wide(MAX_EVENT_BYTES) }), { cause: 'no-record', sample: /^.{1024}$/ });
});

t.test('what no store can keep is replaced wherever it stands', async (t) => {
  const text = `{"seq":7,"kind":"event","event":${JSON.stringify({
    ...event,
    path: '/A',
    sourceLabels: { B: 'C' },
  })
    .replace('/A', '/\\u0000\\ud800x')
    .replace('"B":"C"', '"\\u0000\\udc00":"\\ud83d"')}}`;
  const record = recordOf(text);
  t.match(record, { kind: 'event', event: { path: '/\u{fffd}\u{fffd}x' } });
  t.ok(record?.kind === 'event' && '\u{fffd}\u{fffd}' in record.event.sourceLabels);
  t.match(recordOf({ kind: 'event', event: { ...event, path: '/\u{1f600}' } }), { event: { path: '/\u{1f600}' } });
});

t.test('names that objects of JavaScript have are nothing but names', async (t) => {
  const text = `{"seq":7,"__proto__":{"kind":"gap"},"kind":"event","event":${JSON.stringify(event).replace(
    '"sourceLabels":{}',
    '"sourceLabels":{"__proto__":"x","constructor":"y"}',
  )}}`;
  const record = recordOf(text);
  t.equal(record?.kind, 'event');
  t.equal(({} as Record<string, unknown>).x, undefined);
});

t.test('what no sender wrote is refused as a whole', async (t) => {
  const one = { seq: 1, kind: 'denial', denial: denyRecord() };
  const two = { ...one, seq: 2 };
  const table: [name: string, text: string][] = [
    ['nothing', ''],
    ['no JSON', 'hello\n'],
    ['another version', textOf(head(1, 1, { v: 2 }), one)],
    ['no epoch', textOf(head(1, 1, { epoch: 'mine' }), one)],
    ['a record without a number', textOf(head(1, 1), { kind: 'denial', denial: denyRecord() })],
    ['a record that is no JSON', textOf(head(1, 1), '{"seq":1,')],
    ['a number below one', textOf(head(0, 0), { ...one, seq: 0 })],
    ['a number beyond what can be counted', textOf(head(2 ** 60, 2 ** 60), { ...one, seq: 2 ** 60 })],
    ['it begins elsewhere', textOf(head(2, 1), one)],
    ['it was cut off', textOf(head(1, 2), one)],
    ['more than it says', textOf(head(1, 1), one, two)],
    ['a number twice', textOf(head(1, 1), one, one)],
    ['out of order', textOf(head(2, 1), two, one)],
    ['too many bytes', textOf(head(1, 1), { ...one, more: 'x'.repeat(MAX_BATCH_BYTES) })],
    ['too many records', textOf(head(1, MAX_BATCH_RECORDS + 1), ...Array(MAX_BATCH_RECORDS + 1).fill('{}'))],
  ];
  for (const [name, text] of table) t.throws(() => readBatch(text, mayAll), { code: 'EDW_ERR_BATCH' }, name);
});
