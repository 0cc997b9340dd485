/** Polls and a long poll beside each other: whoever is quicker brings the news, and nobody pays with a connection. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cursor } from '@edgeward/policy-format';
import { systemClock } from '@edgeward/runtime';
import t from 'tap';
import { createNewsWatch, type NewsWatch } from '../src/follower/news-watch.ts';
import type { News, Transport } from '../src/transport.ts';

const cursor = (revision: number): Cursor => ({ epoch: 1, revision, stateRoot: String(revision).repeat(64) });
const NEWER: News = { state: 'head', head: { payload: '', signatures: [] } };

interface Asked {
  from: number;
  waits: boolean;
  signal: AbortSignal;
  answer(news: News): void;
}

/** Every question waits for what the test answers. */
function askedTransport(): { transport: Transport; asked: Asked[] } {
  const asked: Asked[] = [];
  const transport: Transport = {
    name: 'test',
    waits: true,
    next: (_point, known, { waitMs, signal }) =>
      new Promise((resolve, reject) => {
        asked.push({ from: known?.revision ?? 0, waits: waitMs > 0, signal, answer: resolve });
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      }),
    blob: async () => null,
    root: async () => null,
    report: async () => {},
    close: async () => {},
  };
  return { transport, asked };
}

async function found(asked: readonly Asked[], isIt: (it: Asked) => boolean): Promise<Asked> {
  for (let look = 0; look < 6_000; look += 1) {
    const it = asked.find(isIt);
    if (it !== undefined) return it;
    await sleep(5);
  }
  throw new Error('it was not asked');
}

function begin(t: { teardown(run: () => void): unknown }): {
  watch: NewsWatch;
  asked: Asked[];
  ending: AbortController;
} {
  const { transport, asked } = askedTransport();
  const ending = new AbortController();
  t.teardown(() => ending.abort());
  const options = { point: 'edge-1', transport, clock: systemClock, pollMs: 20, longPollMs: 30_000, random: () => 0 };
  return { watch: createNewsWatch({ ...options, onAnswer: () => {} }), asked, ending };
}

t.test('a long poll that was slower is not given up, and the next one waits for its end', async (t) => {
  const { watch, asked, ending } = begin(t);
  const first = watch.next(cursor(1), ending.signal);
  const long = await found(asked, ({ waits }) => waits);
  (await found(asked, ({ waits }) => !waits)).answer(NEWER);
  t.equal(await first, NEWER);
  t.equal(long.signal.aborted, false);
  const second = watch.next(cursor(2), ending.signal);
  await found(asked, ({ waits, from }) => !waits && from === 2);
  t.notOk(asked.some(({ waits, from }) => waits && from === 2));
  long.answer(NEWER);
  (await found(asked, ({ waits, from }) => waits && from === 2)).answer(NEWER);
  t.equal(await second, NEWER, 'what the old one brought is nobody’s');
});

t.test('a long poll goes on for whoever holds the same', async (t) => {
  const { watch, asked, ending } = begin(t);
  const first = watch.next(cursor(1), ending.signal);
  const long = await found(asked, ({ waits }) => waits);
  (await found(asked, ({ waits }) => !waits)).answer(NEWER);
  await first;
  const second = watch.next(cursor(1), ending.signal);
  long.answer(NEWER);
  t.equal(await second, NEWER);
  t.equal(asked.filter(({ waits }) => waits).length, 1);
});

t.test('what was asked ends with the watch', async (t) => {
  const { watch, asked, ending } = begin(t);
  const waiting = watch.next(cursor(1), ending.signal);
  const long = await found(asked, ({ waits }) => waits);
  ending.abort(new Error('it is over'));
  await t.rejects(waiting, { message: 'it is over' });
  t.ok(long.signal.aborted);
});
