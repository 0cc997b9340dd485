import t from 'tap';
import { createTurns } from '../src/https/turns.ts';

const NEVER = new AbortController().signal;

t.test('so many work at a time, the others in the order in which they came', async (t) => {
  const turns = createTurns(() => 2);
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const all = Array.from({ length: 5 }, (_, n) =>
    turns.take(() => {
      begun.push(n);
      return new Promise<number>((resolve) => ends.push(() => resolve(n)));
    }, NEVER),
  );
  for (let n = 0; n < 5; n += 1) {
    await new Promise(setImmediate);
    t.strictSame(begun, [0, 1, 2, 3, 4].slice(0, Math.min(5, n + 2)));
    ends[n]?.();
  }
  t.strictSame(await Promise.all(all), [0, 1, 2, 3, 4]);
});

t.test('what fails gives its place to the next', async (t) => {
  const turns = createTurns(() => 1);
  const first = turns.take(() => Promise.reject(new Error('no')), NEVER);
  const second = turns.take(async () => 'done', NEVER);
  await t.rejects(first, { message: 'no' });
  t.equal(await second, 'done');
});

t.test('who is ended while waiting never works, and takes no place', async (t) => {
  const turns = createTurns(() => 1);
  let end = (): void => {};
  const first = turns.take(() => new Promise<void>((resolve) => (end = resolve)), NEVER);
  const ending = new AbortController();
  const work = t.captureFn(async () => {});
  const second = turns.take(work, ending.signal);
  const third = turns.take(async () => 'done', NEVER);
  ending.abort(new Error('over'));
  await t.rejects(second, { message: 'over' });
  await t.rejects(turns.take(work, ending.signal), { message: 'over' });
  end();
  await first;
  t.equal(await third, 'done');
  t.equal(await turns.take(async () => 'again', NEVER), 'again');
  t.equal(work.calls.length, 0);
});
