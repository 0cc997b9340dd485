/** Who brings records may make up names; how many of them are believed is bounded, and no denial is lost over it. */
import { join } from 'node:path';
import { createLogger } from '@edgeward/runtime';
import t, { type Test } from 'tap';
import type { BatchRecord } from '../src/batches/batch-reading.ts';
import { denyEvent } from '../src/deny-event.ts';
import type { Collector } from '../src/index.ts';
import { collectorFor, denyRecord, labels } from './kit.ts';

const epoch = '0123456789abcdef'.repeat(2);
const denials = (from: number, to: number, of: (object: string) => Partial<BatchRecord>): BatchRecord[] =>
  Array.from({ length: to - from }, (_, at) => ({ seq: from + at, ...of(`made-up-${from + at}`) }) as BatchRecord);
const asForwarder = (object: string): Partial<BatchRecord> => ({ kind: 'denial', denial: denyRecord({ object }) });
const asService = (object: string): Partial<BatchRecord> => ({
  kind: 'event',
  event: denyEvent(denyRecord({ object }), 'edge-1', labels),
});

async function startHere(t: Test, mostUnknownObjects?: number): Promise<Collector> {
  const collector = await collectorFor({ ledgerFile: join(t.testdir({}), 'ledger.db'), logs: [], mostUnknownObjects });
  t.teardown(() => collector.close());
  return collector;
}

const loss: Extract<BatchRecord, { kind: 'loss' }> = { seq: 0, kind: 'loss', cause: 'gone', inode: '1', offset: 0 };

/** How many objects of that name have an event, and what the books say. */
async function known(collector: Collector): Promise<[number, object | undefined]> {
  const objects = new Set((await collector.denials({ limit: 10_000 })).map(({ event }) => event.object));
  const [account] = collector.accounts();
  return [objects.size, account];
}

t.test('a forwarder that makes up losses without end fills no table and no log, and each is counted', async (t) => {
  const lines: string[] = [];
  const logger = createLogger({ level: 'warn', destination: { write: (line) => void lines.push(line) } });
  const ledgerFile = join(t.testdir({}), 'ledger.db');
  const collector = await collectorFor({ ledgerFile, logs: [], logger });
  t.teardown(() => collector.close());
  const losses = Array.from({ length: 1_500 }, (_, at) => ({ ...loss, seq: at + 1, offset: at }));
  await collector.takeBatch('edge-1', epoch, losses);
  t.match(collector.spools(), [{ losses: { gone: 1_000 }, unparsed: { 'no-record': 500 }, missing: 0 }]);
  t.equal(lines.filter((line) => line.includes('"deny_log_loss"')).length, 1);
  await collector.takeBatch('edge-2', epoch, [{ ...loss, seq: 1 }]);
  t.match(collector.spools()[1], { losses: { gone: 1 } }, 'and what one makes up is no loss of another');
});

for (const [who, of] of Object.entries({ forwarder: asForwarder, service: asService })) {
  t.test(`a ${who} that makes up objects without end fills no table, and every denial is counted`, async (t) => {
    const collector = await startHere(t);
    await collector.takeBatch('edge-1', epoch, denials(1, 101, of));
    t.match(await known(collector), [
      32,
      { point: 'edge-1', observed: 100, stored: 32, gaps: new Map([['unreadable', 68]]) },
    ]);
    await collector.takeBatch(
      'edge-1',
      epoch,
      denials(101, 102, () => of('made-up-1')),
    );
    await collector.takeBatch(
      'edge-1',
      epoch,
      denials(102, 103, () => of('order-front')),
    );
    t.match(
      await known(collector),
      [33, { stored: 34, gaps: new Map([['unreadable', 68]]) }],
      'whoever was believed still is',
    );
    await collector.takeBatch('edge-2', epoch, denials(1, 2, of));
    t.match(await known(collector), [33], 'and what one makes up is no loss of another');
  });

  t.test(`where no policy is known a ${who} may have as many objects as a fleet has`, async (t) => {
    const collector = await startHere(t, 10_000);
    await collector.takeBatch('edge-1', epoch, denials(1, 101, of));
    t.match(await known(collector), [100, { stored: 100, gaps: new Map() }]);
  });
}
