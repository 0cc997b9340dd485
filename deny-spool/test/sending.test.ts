/** What is sent of a spool and when, by a clock that stands still until it is told. */
import { backoff } from '@edgeward/runtime';
import t, { type Test } from 'tap';
import { createManualClock, type ManualClock } from '../../runtime/test/fixtures/manual-clock.ts';
import { type DenySpool, type Sending, type SendingOptions, type Sent, startSending } from '../src/index.ts';
import { entry, openSpool } from './kit.ts';

interface Here {
  spool: DenySpool;
  sending: Sending;
  clock: ManualClock;
  /** Records of each batch that was sent. */
  sent: string[][];
  /** Of the next one: everything is acknowledged without it. */
  answers: (Sent | Error)[];
  /** Waits until so many were sent. */
  reach(batches: number): Promise<void>;
}

async function start(t: Test, more: Partial<SendingOptions> = {}): Promise<Here> {
  const spool = await openSpool(t);
  const clock = createManualClock();
  const [sent, answers]: [string[][], (Sent | Error)[]] = [[], []];
  const sending = startSending({
    ...{ spool, clock, pauses: backoff({ baseMs: 8_000, maxMs: 8_000, random: () => 0.5 }) },
    ...{ bounds: () => ({ records: 2, bytes: 1_000 }), paceMs: () => 300, idle: { ms: 60_000, isSent: false } },
    send: async (found) => {
      sent.push(found.map(({ record }) => record));
      const answer = answers.shift() ?? { state: 'acknowledged', seq: found.at(-1)?.seq ?? 0 };
      if (answer instanceof Error) throw answer;
      return answer;
    },
    failed: () => ({ state: 'again' }),
    ...more,
  });
  t.teardown(() => sending.close());
  const reach = async (batches: number): Promise<void> => {
    for (let turn = 0; turn < 15_000 && sent.length < batches; turn += 1)
      await new Promise((done) => setTimeout(done, 2));
    // What comes after it has its time.
    await settled(clock, sent);
  };
  return { spool, sending, clock, sent, answers, reach };
}

/** A pause is set by now. */
async function settled(clock: ManualClock, sent: string[][]): Promise<void> {
  for (let turn = 0; turn < 15_000 && clock.pending() === 0; turn += 1)
    await new Promise((done) => setTimeout(done, 2));
  if (clock.pending() === 0) throw new Error(`nothing waits after ${JSON.stringify(sent)}`);
}

t.test('batches go one after the other with a pause, and then nothing until there is something', async (t) => {
  const { spool, sending, clock, sent, reach } = await start(t);
  await reach(0);
  await spool.append(entry(['a', 'b', 'c']));
  sending.wake();
  await reach(1);
  t.strictSame(sent, [['a', 'b']]);
  await clock.advance(299);
  t.equal(sent.length, 1);
  await clock.advance(1);
  await reach(2);
  t.strictSame(sent[1], ['c']);
  await clock.advance(300);
  await clock.advance(59_000);
  t.equal(sent.length, 2, 'nothing is sent of nothing');
  t.equal(spool.status().pending, 0);
});

t.test('what was not acknowledged is sent again, all that follows behind it', async (t) => {
  const { spool, sending, clock, sent, answers, reach } = await start(t);
  await reach(0);
  await spool.append(entry(['a', 'b', 'c']));
  answers.push(
    new Error('gone'),
    { state: 'again' },
    { state: 'later', afterMs: 7_000 },
    { state: 'acknowledged', seq: 1 },
  );
  sending.wake();
  await reach(1);
  for (const [batches, afterMs] of [
    [2, 4_000],
    [3, 4_000],
    [4, 7_000],
    [5, 300],
  ] as const) {
    sending.wake(); // Whoever is busy is not asked more often for it.
    await clock.advance(afterMs - 1);
    t.equal(sent.length, batches - 1);
    await clock.advance(1);
    await reach(batches);
  }
  t.strictSame(sent, [
    ['a', 'b'],
    ['a', 'b'],
    ['a', 'b'],
    ['a', 'b'],
    ['b', 'c'],
  ]);
});

t.test('who wants it is told that there is nothing', async (t) => {
  const { clock, sent, reach } = await start(t, { idle: { ms: 15_000, isSent: true } });
  await reach(1);
  await clock.advance(15_000);
  await reach(2);
  t.strictSame(sent, [[], []]);
});

t.test('of what was read no more is sent than fits, and no more acknowledged', async (t) => {
  const { spool, sending, clock, sent, reach } = await start(t, { fitting: (found) => found.slice(0, 1) });
  await reach(0);
  await spool.append(entry(['a', 'b']));
  sending.wake();
  await reach(1);
  t.equal(spool.status().pending, 1);
  await clock.advance(300);
  await reach(2);
  t.strictSame(sent, [['a'], ['b']]);
});

t.test('closed, it ends at once, also while it waits', async (t) => {
  const { spool, sending, sent, answers, reach } = await start(t);
  await reach(0);
  answers.push({ state: 'later', afterMs: 3_600_000 });
  await spool.append(entry(['a']));
  sending.wake();
  await reach(1);
  await sending.close();
  sending.wake();
  t.strictSame(sent, [['a']]);
});
