/** A sink on a real ledger: what it promises of its cursor, of what it can't push, and of those that it must not hold up. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, EdgewardError } from '@edgeward/runtime';
import type { Fault } from '@edgeward/test/kit';
import t from 'tap';
import { refs, until } from '../kit.ts';
import { eventsBefore } from '../ledger/fixtures.ts';
import { event, impatientClock, refsAt, stageOf } from './stage.ts';

const dayMs = 86_400_000;

t.test('what is stored is pushed once, oldest first, also what was stored before and over restarts', async (t) => {
  const stage = await stageOf(t);
  await stage.store(refs(0, 2_200).map((ref) => event(ref)));
  const first = stage.start();
  await until('the first 2,200 are there', () => stage.loki.lines().length === 2_200);
  await stage.store(refs(2_200, 2_210).map((ref) => event(ref)));
  await until('2,210 are there', () => stage.loki.lines().length === 2_210);
  await until('it has kept how far it is', () => first.status().lagEvents === 0);
  await first.close();
  await stage.store(refs(2_210, 2_220).map((ref) => event(ref)));
  const second = stage.start();
  await until('2,220 are there', () => second.status().sent === 2_220);
  t.strictSame(refsAt(stage.loki), refs(0, 2_220));
  t.match(second.status(), {
    name: 'loki',
    lagEvents: 0,
    lagSeconds: 0,
    sent: 2_220,
    rejected: 0,
    lost: 0,
    error: null,
  });
  const entries = stage.loki.pushes().reduce((sum, push) => sum + push.entries, 0);
  t.equal(entries, 2_220, 'nothing was sent twice');
  t.strictSame(await stage.metric('edgeward_sink_sent_total'), { loki: 2_220 });
  t.match(
    await stage.metric('edgeward_sink_retries_total'),
    { 'loki,unreachable': 0, 'loki,busy': 0 },
    'none, and so it says',
  );
});

const faults: Record<string, Fault> = {
  'answers 500': { kind: 'answer', status: 500, text: 'rpc error' },
  'answers 500 after it has stored': { kind: 'answer-after-storing', status: 500 },
  'asks for a pause': {
    kind: 'answer',
    status: 429,
    text: 'Ingestion rate limit exceeded',
    headers: { 'retry-after': '1' },
  },
  'knows no such tenant': { kind: 'answer', status: 401, text: 'no org id' },
  'is somebody else': { kind: 'answer', status: 200, text: '<html>' },
  'throws away what it is told to': { kind: 'answer', status: 260, text: 'ingestion blocked' },
  'refuses in unknown words': { kind: 'answer', status: 400, text: 'missing required labels' },
  'is silent': { kind: 'silence' },
  trickles: { kind: 'trickle' },
  'cuts the connection': { kind: 'reset' },
};

for (const [name, fault] of Object.entries(faults)) {
  t.test(`a sink that ${name} holds up no ledger, and has everything once in the end`, async (t) => {
    const stage = await stageOf(t, fault);
    const sink = stage.start();
    for (let batch = 0; batch < 10; batch += 1) {
      await stage.store(refs(batch * 100, batch * 100 + 100).map((ref) => event(ref)));
    }
    await until('it was tried twice', () => stage.loki.pushes().length >= 2);
    await until('it says why', () => sink.status().error !== null);
    t.ok(sink.status().lagEvents > 0, 'what it has not is told');
    t.equal((await stage.ledger.denials({ limit: 10_000 })).length, 1_000, 'the ledger has all');
    stage.loki.setFault(null);
    await until('it has all', () => sink.status().lagEvents === 0);
    t.strictSame(refsAt(stage.loki), refs(0, 1_000));
    t.match(sink.status(), { sent: 1_000, rejected: 0, lost: 0, error: null });
    const retries = await stage.metric('edgeward_sink_retries_total');
    t.ok(Object.values(retries).reduce((sum, count) => sum + count, 0) >= 1, JSON.stringify(retries));
  });
}

t.test('what is on its way is no lag, what is old is one, and what fails says so', async (t) => {
  const stage = await stageOf(t, { kind: 'silence' });
  let aheadMs = 0;
  const sink = stage.start({ clock: { ...impatientClock, now: () => Date.now() + aheadMs } });
  await stage.store([event('first')]);
  t.match(sink.status(), { state: 'current', lagEvents: 1, error: null });
  aheadMs = 301_000;
  t.match(sink.status(), { state: 'behind', lagEvents: 1, error: null });
  await until('it says why', () => sink.status().error !== null);
  t.equal(sink.status().state, 'failing');
  stage.loki.setFault(null);
  await until('it has all', () => sink.status().lagEvents === 0);
  t.match(sink.status(), { state: 'current', error: null });
});

t.test('a ledger that does not answer is asked again after a pause, and not at once', async (t) => {
  const stage = await stageOf(t);
  const pausesMs: number[] = [];
  const after: Clock['after'] = (ms, run) => {
    pausesMs.push(ms);
    return impatientClock.after(ms, run);
  };
  stage.source.denials = () =>
    Promise.reject(new EdgewardError('EDW_ERR_LEDGER_WRITE', 'the disk is full', { mend: 'Free some space.' }));
  const sink = stage.start({ clock: { ...impatientClock, after } });
  await until('it was asked ten times', () => pausesMs.length >= 10);
  t.match(sink.status(), { state: 'failing', error: { code: 'EDW_ERR_LEDGER_WRITE' } });
  await sink.close();
  t.ok(
    pausesMs.every((ms) => ms >= 100),
    pausesMs.join(),
  );
});

t.test('it ends at once, whatever is on its way', async (t) => {
  for (const [name, fault] of Object.entries<Fault>({ ...faults, silent: { kind: 'silence' } })) {
    const stage = await stageOf(t, fault);
    const sink = stage.start();
    await stage.store([event(name)]);
    await until('a push is on its way', () => stage.loki.pushes().length >= 1);
    await sink.close();
    t.pass(name);
  }
});

t.test('what retention takes before it was sent is counted as lost, one by one', async (t) => {
  const stage = await stageOf(t, { kind: 'answer', status: 500 });
  const sink = stage.start();
  const now = Date.now();
  await stage.store(
    refs(0, 30).map((ref) => event(ref, now - 3 * dayMs)),
    now - 3 * dayMs,
  );
  await stage.store(
    refs(30, 37).map((ref) => event(ref, now)),
    now,
  );
  await until('it was tried', () => sink.status().error !== null);
  await sink.close();
  while ((await stage.ledger.prune(eventsBefore(now - dayMs), 1_000)) > 0);
  stage.loki.setFault(null);
  const again = stage.start();
  await until('it has the rest', () => again.status().lagEvents === 0 && again.status().sent > 0);
  t.match(again.status(), { sent: 7, rejected: 0, lost: 30 });
  t.strictSame(refsAt(stage.loki), refs(30, 37));
  t.strictSame(await stage.metric('edgeward_sink_lost_total'), { loki: 30 });
});

t.test('what was lost is counted also where nothing of it is left to send', async (t) => {
  const stage = await stageOf(t, { kind: 'answer', status: 500 });
  const sink = stage.start();
  const then = Date.now() - 3 * dayMs;
  await stage.store(
    refs(0, 12).map((ref) => event(ref, then)),
    then,
  );
  await until('it was tried', () => sink.status().error !== null);
  await sink.close();
  while ((await stage.ledger.prune(eventsBefore(Date.now() - dayMs), 1_000)) > 0);
  stage.loki.setFault(null);
  const again = stage.start();
  // What it is told of is gone before it looks.
  stage.tell(12);
  await until('it counts them', () => again.status().lost === 12);
  t.match(again.status(), { sent: 0, lost: 12, lagEvents: 0 });
  await stage.store([event('last')]);
  await until('the last one is there', () => again.status().sent === 1);
  t.equal(again.status().lost, 12);
});

t.test('it begins where it is told, and no earlier', async (t) => {
  const stage = await stageOf(t);
  const now = Date.now();
  await stage.store(['old', 'older'].map((ref) => event(ref, now - dayMs)));
  await stage.store(['new', 'newer'].map((ref) => event(ref, now)));
  const sink = stage.start({ backlogMs: dayMs / 2 });
  await until('it has all', () => sink.status().sent === 2);
  t.strictSame(refsAt(stage.loki), ['new', 'newer']);
  t.equal(sink.status().lost, 0, 'what was not to be sent is not lost');
});

t.test('with a cursor of another ledger, or one that can not be read, it begins anew', async (t) => {
  for (const content of [
    '{"v":1,"epoch":"other","beganAfter":0,"afterId":9,"sent":9,"rejected":0,"lost":0}',
    '{"v":',
    '',
  ]) {
    const stage = await stageOf(t);
    await stage.store(refs(0, 3).map((ref) => event(ref)));
    const first = stage.start();
    await until('it has all', () => first.status().sent === 3);
    await first.close();
    writeFileSync(join(stage.folder, 'sinks/loki.json'), content);
    const again = stage.start();
    await until('it has all again', () => again.status().sent === 3);
    t.strictSame(refsAt(stage.loki), refs(0, 3), 'which Loki knows already');
  }
});

t.test('killed before its cursor is kept, it sends once more what Loki then has once', async (t) => {
  const stage = await stageOf(t);
  const path = join(stage.folder, 'sinks/loki.json');
  const first = stage.start();
  await stage.store(refs(0, 5).map((ref) => event(ref)));
  await until('it has all', () => first.status().sent === 5);
  const kept = readFileSync(path);
  await stage.store(refs(5, 9).map((ref) => event(ref)));
  await until('it has all', () => first.status().sent === 9);
  await first.close();
  writeFileSync(path, kept);
  const again = stage.start();
  await until('it is through', () => again.status().sent === 9);
  t.strictSame(refsAt(stage.loki), refs(0, 9));
});

t.test('a cursor that can not be kept stops it, and nobody else', async (t) => {
  const stage = await stageOf(t);
  writeFileSync(join(stage.folder, 'sinks'), 'in the way');
  const sink = stage.start();
  await stage.store(refs(0, 5).map((ref) => event(ref)));
  await until('it says why', () => sink.status().error?.code === 'EDW_ERR_STATE_WRITE');
  t.equal((await stage.ledger.denials({})).length, 5);
  rmSync(join(stage.folder, 'sinks'));
  await until('it goes on', () => sink.status().sent === 5);
  t.equal(sink.status().error, null);
});
