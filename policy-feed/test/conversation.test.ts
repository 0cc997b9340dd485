/** One point and its store, one question after the other: what is new comes back, and what there is to tell goes along. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { PointQuestion, PointReport } from '@edgeward/policy-format';
import { type Clock, createLogger, systemClock } from '@edgeward/runtime';
import t, { type Test } from 'tap';
import { createConversation } from '../src/follower/conversation.ts';
import { createReportDesk, type ReportDesk } from '../src/follower/report-desk.ts';
import { storeFailure } from '../src/index.ts';
import type { Answered, Transport } from '../src/transport.ts';
import { thrownBy } from './conformance/patience.ts';

const NEWER: Answered['news'] = { state: 'head', head: { payload: '', signatures: [] } };
const UNCHANGED: Answered['news'] = { state: 'unchanged' };
const KNOWN = { epoch: 1, revision: 1, stateRoot: 'a'.repeat(64) };
const away = () => storeFailure('EDW_ERR_STORE_UNREACHABLE', 'asking: it is away');

interface Asked extends PointQuestion {
  answer(answered: Answered): void;
  fail(error: Error): void;
}

/** Every question waits for what the test answers. */
function begin(t: Test, point: { state: PointReport['state'] } = { state: 'current' }, random = () => 0) {
  const asked: Asked[] = [];
  const told: PointReport[] = [];
  let read = 0;
  const transport: Transport & Required<Pick<Transport, 'question'>> = {
    name: 'test',
    next: () => Promise.reject(away()),
    question: (_point, question, signal) =>
      new Promise((resolve, reject) => {
        asked.push({ ...question, answer: resolve, fail: reject });
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      }),
    blob: async () => null,
    root: async () => null,
    report: async (report) => void told.push(report),
    close: async () => {},
  };
  const reportOf = () => ({ point: 'edge-1', state: point.state }) as PointReport;
  const pauses: number[] = [];
  const clock: Clock = {
    now: systemClock.now,
    after(ms, run) {
      pauses.push(ms);
      return systemClock.after(0, run);
    },
  };
  const options = { clock, random, reportMs: 3_600_000 };
  const desk: ReportDesk = createReportDesk({ ...options, firstMs: 3_600_000, reportOf });
  const ending = new AbortController();
  t.teardown(() => ending.abort());
  const held = () => ({ head: {}, signed: { payload: '', signatures: [] } }) as never;
  const logger = createLogger({ level: 'silent' });
  const talk = createConversation({
    ...{ ...options, point: 'edge-1', transport, desk, logger, pollMs: 10_000, held, onAnswer: () => {} },
  });
  const nextAsked = async (): Promise<Asked> => {
    for (let look = 0; look < 6_000; look += 1) {
      const it = asked[read];
      if (it !== undefined) {
        read += 1;
        return it;
      }
      await sleep(5);
    }
    throw new Error('it was not asked');
  };
  return {
    talk,
    desk,
    asked,
    told,
    pauses,
    nextAsked,
    signal: ending.signal,
    next: () => talk.next(KNOWN, ending.signal),
  };
}

t.test('a question follows an answer, never another question', async (t) => {
  const { asked, next, nextAsked } = begin(t);
  const news = next();
  (await nextAsked()).answer({ news: UNCHANGED, heard: false });
  const second = await nextAsked();
  t.equal(asked.length, 2);
  t.equal(second.waitMs, 6_500, 'it waits for less than a poll takes');
  second.answer({ news: NEWER, heard: false });
  t.equal(await news, NEWER);
  t.equal(asked.length, 2);
});

t.test('what there is to tell goes with the next question, until it was heard', async (t) => {
  const { desk, next, nextAsked } = begin(t);
  const news = next();
  const first = await nextAsked();
  t.equal(first.report, null, 'there is nothing to tell');
  desk.soon();
  first.answer({ news: UNCHANGED, heard: false });
  const second = await nextAsked();
  t.match(second.report, { point: 'edge-1' });
  const thrown = thrownBy('the question', () => news);
  second.fail(away());
  t.equal((await thrown).code, 'EDW_ERR_STORE_UNREACHABLE');
  const again = next();
  const third = await nextAsked();
  t.match(third.report, { point: 'edge-1' }, 'nobody knows whether it was heard');
  third.answer({ news: UNCHANGED, heard: true });
  const fourth = await nextAsked();
  t.equal(fourth.report, null);
  fourth.answer({ news: NEWER, heard: false });
  await again;
});

t.test('a report that the store does not take is not told with every question', async (t) => {
  const { desk, next, nextAsked } = begin(t);
  desk.soon();
  const news = next();
  const first = await nextAsked();
  t.ok(first.report);
  first.answer({ news: UNCHANGED, heard: false });
  const second = await nextAsked();
  t.equal(second.report, null);
  second.answer({ news: NEWER, heard: false });
  await news;
});

t.test('after a question without an answer the next one waits for nothing', async (t) => {
  const { next, nextAsked } = begin(t);
  const thrown = next();
  (await nextAsked()).fail(away());
  await thrownBy('the question', () => thrown);
  const news = next();
  const second = await nextAsked();
  t.equal(second.waitMs, 0);
  second.answer({ news: UNCHANGED, heard: false });
  const third = await nextAsked();
  t.equal(third.waitMs, 6_500);
  third.answer({ news: NEWER, heard: false });
  await news;
});

t.test('those of a store that ended do not come back together, and later each time', async (t) => {
  const { pauses, next, nextAsked } = begin(t, { state: 'current' }, () => 0.5);
  const news = next();
  for (let round = 0; round < 4; round += 1) (await nextAsked()).answer({ news: UNCHANGED, heard: false });
  (await nextAsked()).answer({ news: NEWER, heard: false });
  await news;
  t.strictSame(pauses, [750, 1_500, 3_000, 5_000], 'half of what each is drawn from');
});

t.test('while the point is on its way to what it was given, questions end soon', async (t) => {
  const point: { state: PointReport['state'] } = { state: 'applying' };
  const { next, nextAsked } = begin(t, point);
  const news = next();
  const waits: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    const it = await nextAsked();
    waits.push(it.waitMs);
    if (round === 1) point.state = 'current';
    it.answer({ news: round === 2 ? NEWER : UNCHANGED, heard: false });
  }
  t.strictSame(waits, [400, 800, 6_500]);
  await news;
});

t.test('where no question is asked, what there is to tell is told by itself', async (t) => {
  const { talk, desk, told, signal } = begin(t);
  await talk.tell(signal);
  t.equal(told.length, 0, 'there is nothing to tell');
  desk.soon();
  await talk.tell(signal);
  await talk.tell(signal);
  t.equal(told.length, 1);
});
