/** When a host tells how it is: by a clock that the test holds. */
import t, { type Test } from 'tap';
import { createManualClock } from '../../../runtime/test/fixtures/manual-clock.ts';
import { HEARTBEAT_JITTER, HEARTBEAT_MS } from '../../protocol/index.ts';
import { type Heartbeat, startHeartbeat } from '../../src/heartbeat.ts';

const STEP_MS = 100;

interface Scene {
  heartbeat: Heartbeat;
  /** When each report was begun. */
  reports: number[];
  /** Lets that much time pass, with everything that it sets off. */
  pass(ms: number): Promise<void>;
}

/** A service that answers when the test says so. */
function held(): { answered: Promise<void>; answer: () => void } {
  let answer = (): void => {};
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  return { answered, answer: () => answer() };
}

async function start(t: Test, report: () => Promise<void> = () => Promise.resolve()): Promise<Scene> {
  const clock = createManualClock();
  const startedAtMs = clock.now();
  const reports: number[] = [];
  const heartbeat = startHeartbeat({
    clock,
    tend: () => Promise.resolve(),
    report() {
      reports.push(clock.now() - startedAtMs);
      return report();
    },
  });
  t.teardown(() => heartbeat.close());
  await clock.rest();
  return { heartbeat, reports, pass: clock.advance };
}

t.test('a host reports at its start and then about each minute, never twice after the same while', async (t) => {
  const { reports, pass } = await start(t);
  t.strictSame(reports, [0], 'at once');
  await pass(20 * HEARTBEAT_MS);
  const pauses = reports.slice(1).map((at, n) => at - (reports[n] ?? 0));
  const [least, most] = [Math.min(...pauses), Math.max(...pauses)];
  t.ok(least >= HEARTBEAT_MS * (1 - HEARTBEAT_JITTER), `${least} ms at least`);
  t.ok(most <= HEARTBEAT_MS * (1 + HEARTBEAT_JITTER), `${most} ms at most`);
  t.ok(new Set(pauses).size > 3, 'hosts that started together drift apart');
});

t.test('what changed is told at once, and however much changes not more than once a second', async (t) => {
  const { heartbeat, reports, pass } = await start(t);
  await pass(10_000);
  heartbeat.soon();
  await pass(STEP_MS);
  t.equal(reports.length, 2, 'at once');
  for (let n = 0; n < 50; n += 1) {
    heartbeat.soon();
    await pass(STEP_MS);
  }
  t.equal(reports.length, 7, 'five more in five seconds');
  await pass(2_000);
  t.equal(reports.length, 8, 'and one for what changed after the last of them');
});

t.test('one report is under way; what changes meanwhile is in the next', async (t) => {
  const { answered, answer } = held();
  const { heartbeat, reports, pass } = await start(t, () => answered);
  heartbeat.soon();
  await pass(5 * HEARTBEAT_MS);
  t.equal(reports.length, 1, 'a service that does not answer is not asked again meanwhile');
  answer();
  await pass(1_500);
  t.equal(reports.length, 2, 'what changed is told then');
});

t.test('closing waits for the report that is under way, and no other follows', async (t) => {
  const { answered, answer } = held();
  const { heartbeat, reports, pass } = await start(t, () => answered);
  const closed = heartbeat.close();
  answer();
  await closed;
  heartbeat.soon();
  await pass(3 * HEARTBEAT_MS);
  t.equal(reports.length, 1);
});
