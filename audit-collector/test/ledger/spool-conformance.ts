/** Records of spools: each once, by point, epoch and number; a gap is a record like any other and is counted apart. */
import type { Test } from 'tap';
import { type HostRecord, hostDenyEvent } from '../../src/host-record.ts';
import type { SpoolBatch, SpoolRecord } from '../../src/ledger/ledger.ts';
import { epochs, hostDenial, hostGap } from '../host-records.ts';
import { labels, t0 } from '../kit.ts';
import { eventsBefore, type MakeLedger, refsIn } from './fixtures.ts';

const [epoch, another] = epochs;

const recordOf = (record: HostRecord, point: string): SpoolRecord =>
  record.kind === 'gap'
    ? { seq: record.seq, gap: record }
    : { seq: record.seq, event: hostDenyEvent(record, point, labels) };
const batchOf = (records: HostRecord[], overrides: Partial<SpoolBatch> = {}): SpoolBatch => ({
  point: 'host-1',
  epoch,
  storedMs: t0,
  records: records.map((record) => recordOf(record, overrides.point ?? 'host-1')),
  ...overrides,
});

export function spoolConformance(t: Test, make: MakeLedger): void {
  t.test('a record is stored once, whatever comes twice, late or from another life', async (t) => {
    type Step = [name: string, seqs: number[], more: Partial<SpoolBatch>, result: object];
    const steps: Step[] = [
      ['in order', [1, 2, 3], {}, { stored: { length: 3 }, missing: 0, late: 0, repeated: 0 }],
      ['sent again, with more', [2, 3, 4], {}, { stored: { length: 1 }, repeated: 2 }],
      ['a hole', [7], {}, { stored: { length: 1 }, missing: 2 }],
      ['late ones', [5, 6], {}, { stored: { length: 2 }, late: 2 }],
      ['all of it again', [1, 2, 3, 4, 5, 6, 7], {}, { stored: { length: 0 }, repeated: 7 }],
      ['another life of the spool', [1, 2], { epoch: another }, { stored: { length: 2 }, repeated: 0 }],
      ['another point', [1], { point: 'host-2' }, { stored: { length: 1 }, repeated: 0 }],
    ];
    const place = make(t);
    for (const [name, seqs, more, result] of steps) {
      const ledger = await place.open();
      const taken = await ledger.storeSpooled(
        batchOf(
          seqs.map((seq) => hostDenial(seq)),
          more,
        ),
      );
      t.match(taken, result, name);
      await ledger.close();
    }
    const ledger = await place.open();
    t.match(ledger.sums().spools, [
      { point: 'host-1', stored: 9, missing: 0 },
      { point: 'host-2', stored: 1, missing: 0 },
    ]);
    t.equal((await refsIn(ledger)).length, 10);
  });

  t.test('denials without a record are summed by point, cause and window', async (t) => {
    const place = make(t);
    const ledger = await place.open();
    const records = [hostGap(2), hostGap(3, { count: 20 }), hostGap(4, { cause: 'netlink', count: 7 })];
    for (const uncovered of [3, 0]) {
      t.match(await ledger.storeSpooled(batchOf([hostDenial(1), ...records])), { uncovered: { length: uncovered } });
    }
    await ledger.storeSpooled(batchOf([hostGap(1)], { point: 'host-2' }));
    const sums = [
      { point: 'host-1', cause: 'netlink', count: 7 },
      { point: 'host-1', cause: 'not-sampled', count: 120 },
      { point: 'host-2', cause: 'not-sampled', count: 100 },
    ];
    t.strictSame([ledger.sums().uncovered, (await place.open()).sums().uncovered], [sums, sums]);
    const since = { sinceMs: Date.parse('2026-11-22T10:00:45.000Z'), point: 'host-1' };
    t.strictSame(await ledger.uncovered(since), [
      {
        point: 'host-1',
        cause: 'netlink',
        count: 7,
        windowStart: '2026-11-22T10:00:40.000Z',
        windowEnd: '2026-11-22T10:00:50.000Z',
      },
    ]);
    t.match(await ledger.uncovered({}), sums);
    for (let i = 0; i < 10 && (await ledger.prune(eventsBefore(t0 + 1), 2)) > 0; i += 1);
    t.strictSame([await ledger.uncovered({}), (await ledger.readSums()).uncovered], [[], sums], 'after retention');
  });

  t.test('a batch of records is stored whole or not at all', async (t) => {
    const ledger = await make(t).open();
    const torn = Object.assign(hostDenial(3), { port: null }) as unknown as HostRecord;
    await t.rejects(ledger.storeSpooled(batchOf([hostDenial(1), hostGap(2), torn])), { code: 'EDW_ERR_LEDGER_WRITE' });
    const { spools, uncovered, totals } = await ledger.readSums();
    t.strictSame([spools, uncovered, totals, await refsIn(ledger), await ledger.uncovered({})], [[], [], [], [], []]);
    const whole = batchOf([hostDenial(1), hostGap(2), hostDenial(5)]);
    t.match(await ledger.storeSpooled(whole), { repeated: 0, missing: 2, stored: { length: 2 } });
    t.match(await ledger.spoolGaps('host-1'), [{ first: 3, last: 4, seenMs: t0 }]);
  });

  t.test('what a log could not say is taken once, and is of the sender', async (t) => {
    const ledger = await make(t).open();
    const told: SpoolRecord[] = [
      { seq: 1, unparsed: { cause: 'not-json', sample: 'prose' } },
      { seq: 2, loss: { cause: 'gone', inode: '7', offset: 9 } },
      { seq: 3, unparsed: { cause: 'torn', sample: '{"v":1,' } },
    ];
    for (const name of ['once', 'again']) {
      const { unparsed, losses, ...result } = await ledger.storeSpooled({ ...batchOf([]), records: told });
      t.strictSame([unparsed.length, losses.length], name === 'once' ? [2, 1] : [0, 0], name);
      t.match(result, { stored: [], missing: 0, repeated: name === 'once' ? 0 : 3 });
    }
    t.match(ledger.sums(), {
      totals: [],
      unparsed: [
        { point: 'host-1', cause: 'not-json', count: 1 },
        { point: 'host-1', cause: 'torn', count: 1 },
      ],
      losses: [{ point: 'host-1', cause: 'gone', count: 1 }],
      spools: [{ point: 'host-1', stored: 3, missing: 0 }],
    });
    t.match(await ledger.quarantined(), [{ point: 'host-1', sample: 'prose' }, { sample: '{"v":1,' }]);
    t.strictSame(ledger.sums(), await ledger.readSums());
  });

  t.test('numbers are those of the sender; events and sums are of the point that judged', async (t) => {
    const ledger = await make(t).open();
    const own = batchOf([hostDenial(1)]).records;
    const others = batchOf([hostDenial(2), hostDenial(3)], { point: 'edge-2' }).records;
    await ledger.storeSpooled({ point: 'site-a', epoch, storedMs: t0, records: [...own, ...others] });
    await ledger.storeSpooled(batchOf([hostDenial(1)]));
    const { totals, spools } = ledger.sums();
    t.match(totals, [
      { point: 'edge-2', count: 2 * hostDenial(2).count },
      { point: 'host-1', count: 2 * hostDenial(1).count },
    ]);
    t.match(spools, [
      { point: 'host-1', stored: 1 },
      { point: 'site-a', stored: 3 },
    ]);
    t.strictSame(ledger.sums(), await ledger.readSums());
    t.equal((await ledger.minutes({ point: 'edge-2' }))[0]?.count, 2 * hostDenial(2).count);
  });
}
