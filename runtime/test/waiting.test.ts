import t from 'tap';
import { createWorkQueue, pauseFor, repeatedly, whilePausing } from '../src/index.ts';
import { createManualClock } from './fixtures/manual-clock.ts';

t.test('a pause is over by its time, when it is ended, or with the signal, and leaves no timer', async (t) => {
  const ways: { name: string; aborted?: boolean; end: (of: { pauseEnds: () => void; abort: () => void }) => void }[] = [
    { name: 'its time', end: () => {} },
    { name: 'ended', end: ({ pauseEnds }) => pauseEnds() },
    { name: 'the signal', end: ({ abort }) => abort() },
    { name: 'a signal from before', aborted: true, end: () => {} },
  ];
  for (const { name, aborted, end } of ways) {
    const clock = createManualClock();
    const ending = new AbortController();
    if (aborted) ending.abort();
    const pause = pauseFor(clock, 100);
    const over = whilePausing(pause, ending.signal);
    end({ pauseEnds: pause.end, abort: () => ending.abort() });
    if (name === 'its time') await clock.advance(100);
    await over;
    t.equal(clock.pending(), 0, name);
  }
});

t.test('what is repeated is counted, waits for what it promised, and ends when it is told to', async (t) => {
  const clock = createManualClock();
  const turns: number[] = [];
  const stop = repeatedly(clock, 10, (turn) => {
    turns.push(turn);
  });
  for (let step = 0; step < 3; step += 1) await clock.advance(10);
  stop();
  await clock.advance(100);
  t.strictSame(turns, [1, 2, 3]);

  let finish = (): void => {};
  let begun = 0;
  const end = repeatedly(clock, 10, () => {
    begun += 1;
    return new Promise<void>((resolve) => {
      finish = resolve;
    });
  });
  await clock.advance(10);
  await clock.advance(100);
  t.equal(begun, 1, 'a turn that is under way is waited for');
  finish();
  await clock.advance(10);
  t.equal(begun, 2);
  end();
  finish();
  await clock.rest();
  t.equal(clock.pending(), 0, 'the turn that was under way was the last');
});

t.test('work is done in the order in which it comes, and what fails stops nothing', async (t) => {
  const queue = createWorkQueue();
  const done: string[] = [];
  const slow = queue.run(async () => {
    await new Promise(setImmediate);
    done.push('slow');
    void queue.run(() => done.push('handed in meanwhile'));
    return 1;
  });
  const failing = queue.run(() => {
    done.push('failing');
    throw new Error('no');
  });
  const last = queue.run(() => done.push('last'));
  t.equal(await slow, 1);
  await t.rejects(failing, { message: 'no' });
  await last;
  await queue.settled();
  t.strictSame(done, ['slow', 'failing', 'last', 'handed in meanwhile']);
});
