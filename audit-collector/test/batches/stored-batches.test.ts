/** Whatever a sender says and a batch is read as can be stored, by either ledger: else it would come again for ever. */
import { join } from 'node:path';
import t from 'tap';
import { requirePostgres } from '../../../test/kit/postgres.ts';
import { type BatchRecord, readBatch } from '../../src/batches/batch-reading.ts';
import { MOST_AT_ONCE } from '../../src/claimed-counts.ts';
import { denyEvent } from '../../src/deny-event.ts';
import type { LedgerPlace } from '../../src/index.ts';
import { collectorFor, denyRecord, labels } from '../kit.ts';
import { postgresPlace } from '../ledger/postgres-place.ts';

requirePostgres(t);
const place = await postgresPlace(t);
const epoch = '0123456789abcdef'.repeat(2);
const event = denyEvent(denyRecord(), 'edge-1', labels);
const most = Number.MAX_SAFE_INTEGER;
/** A count beyond what is believed is stored as a sample: collector.test.ts. */
const mostBelieved = MOST_AT_ONCE / 100;

const texts = [
  '',
  '\0',
  '\u{2400}\u{241b}',
  '\ud800',
  '\u{202e}\u{1b}[2J\r\n',
  "'; DROP TABLE x; --",
  '=1+1',
  '__proto__',
  'x'.repeat(60_000),
  '€'.repeat(20_000),
];
const numbers = [0, 1, 65_535, 2 ** 31, 2 ** 32, most];
const times = [
  '0000-01-01T00:00:00.000Z',
  '0001-01-01T00:00:00.000Z',
  '1969-12-31T23:59:59.999Z',
  '9999-12-31T23:59:59.999Z',
];
const sets = texts.flatMap((text) => [{ [text]: 'x' }, { x: text }]);
const lists = [[], texts, Array.from({ length: 5_000 }, (_, at) => `w-${at}`)];

/** Of each member of an event, whatever it may be and more. */
const hostile: object[] = Object.entries(event).flatMap(([name, value]) => {
  const kinds: unknown[] = [...texts, ...numbers, mostBelieved, ...times, ...sets, ...lists, null, true];
  const others = kinds.filter((it) => it !== value && !(name === 'count' && it === most));
  return others.map((it) => ({ ...event, [name]: it }));
});
const others: object[] = [
  ...[1, mostBelieved].flatMap((count) =>
    times.map((time) => ({ kind: 'gap', cause: 'netlink', count, windowStart: time, windowEnd: time })),
  ),
  ...texts.map((sample) => ({ kind: 'unparsed', cause: 'torn', sample })),
  ...['0', '9'.repeat(20)].flatMap((inode) =>
    [0, most].map((offset) => ({ kind: 'loss', cause: 'gone', inode, offset })),
  ),
];

function recordsOf(said: readonly object[]): BatchRecord[] {
  return said.map((it, at) => {
    const seq = at + 1;
    const head = {
      v: 1,
      epoch,
      first: seq,
      last: seq,
      sentAt: event.time,
      waiting: { records: 0, unreadBytes: 0, shed: 0 },
    };
    const text = `${JSON.stringify(head)}\n${JSON.stringify({ seq, ...it })}\n`;
    const [record] = readBatch(text, { sender: 'svc', maySpeakOf: () => true, mayLabel: true }).records;
    return record as BatchRecord;
  });
}

t.test('whatever a service may say is stored', async (t) => {
  const records = recordsOf([...hostile.map((it) => ({ kind: 'event', event: it })), ...others]);
  const events = records.flatMap((record) => (record.kind === 'event' ? [record.event] : []));
  t.comment(`${events.length} events, ${records.length} records`);
  const database = await place.server.createDatabase();
  const ledgers: LedgerPlace[] = [
    { kind: 'sqlite', file: join(t.testdir({}), 'ledger.db') },
    { kind: 'postgres', ...place.access(database) },
  ];
  for (const ledger of ledgers) {
    const collector = await collectorFor({ ledger, logs: [], synchronous: 'NORMAL', mostUnknownObjects: 10_000 });
    t.teardown(() => collector.close());
    await collector.takeBatch('svc', epoch, records);
    const stored = await collector.denials({ limit: 10_000 });
    t.strictSame(
      stored.map((it) => it.event),
      events,
      `${ledger.kind} has each as it was said`,
    );
  }
});
