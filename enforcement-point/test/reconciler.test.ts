import { createLogger } from '@edgeward/runtime';
import t, { type Test } from 'tap';
import { createManualClock, type ManualClock } from '../../runtime/test/fixtures/manual-clock.ts';
import { createReconciler, type PointState, type Reconciler, type ReconcilerOptions } from '../src/index.ts';
import { policyOf } from './fixtures/memory-point.ts';
import { createScriptedPoint, type ScriptedPoint, unreachable } from './fixtures/scripted-point.ts';

interface Scene {
  point: ScriptedPoint;
  clock: ManualClock;
  reconciler: Reconciler;
  states: PointState[];
  /** The calls since the last time, without what was checked already. */
  calls(): string[];
}

type Settings = Partial<ReconcilerOptions> & { canProbe?: boolean };

function set(t: Pick<Test, 'teardown'>, { canProbe = true, ...options }: Settings = {}): Scene {
  const point = createScriptedPoint({ canProbe });
  const clock = createManualClock();
  const states: PointState[] = [];
  const reconciler = createReconciler({
    point,
    logger: createLogger({ level: 'silent' }),
    now: clock.now,
    after: clock.after,
    random: () => 0.999,
    onChange: ({ state }) => states.at(-1) !== state && states.push(state),
    ...options,
  });
  t.teardown(async () => {
    point.release();
    await reconciler.close();
  });
  return { point, clock, reconciler, states, calls: () => point.calls.splice(0) };
}

const policy = (revision: number, ...names: string[]) =>
  policyOf(revision, names.length > 0 ? names : [`n${revision}`], 'edge-1');

t.test('nothing is done, and nothing asked, before a policy is desired', async (t) => {
  const { reconciler, clock, calls } = set(t);
  await reconciler.kick();
  await clock.advance(120_000);
  t.strictSame(calls(), []);
  t.match(reconciler.status(), { state: 'no-policy', desiredRevision: null, appliedRevision: null, lastError: null });
});

t.test('the actual state is read first, then pushed once, then left alone', async (t) => {
  const { reconciler, clock, states, calls } = set(t);
  reconciler.setDesired(policy(1));
  await clock.rest();
  t.strictSame(calls(), ['look', 'push 1']);
  const { hash } = policy(1);
  t.strictSame(reconciler.status(), {
    point: 'edge-1',
    state: 'current',
    desiredRevision: 1,
    desiredHash: hash,
    appliedRevision: 1,
    appliedHash: hash,
    desiredAt: 1_000,
    appliedAt: 1_000,
    lastCheckedAt: 1_000,
    drift: { count: 0, last: null },
    unfinished: [],
    refills: 0,
    attempts: 0,
    lastError: null,
  });
  t.strictSame(states, ['applying', 'current']);
  await clock.advance(29_000);
  t.strictSame(calls(), ['look'], 'one look confirms the push; from then on it is only probed');
  t.equal(reconciler.status().lastCheckedAt, 30_000, 'every probe is a check');
});

t.test('a point that holds the policy already is not written', async (t) => {
  const { reconciler, clock, point, calls } = set(t);
  point.actual = { state: 'loaded', revision: 1, hash: policy(1).hash, drift: [], unfinished: [] };
  reconciler.setDesired(policy(1));
  await clock.rest();
  t.strictSame(calls(), ['look']);
  t.match(reconciler.status(), { state: 'current', appliedRevision: 1, appliedAt: null });
});

t.test('a greater revision of the same content is pushed, so that verdicts name it', async (t) => {
  const { reconciler, clock, calls } = set(t);
  reconciler.setDesired(policy(1, 'same'));
  await clock.rest();
  reconciler.setDesired(policy(2, 'same'));
  reconciler.setDesired(policy(2, 'same'));
  await clock.rest();
  t.strictSame(calls(), ['look', 'push 1', 'push 2']);
});

t.test('never two calls at once, and of what is desired meanwhile only the newest is pushed', async (t) => {
  const { reconciler, clock, point, calls } = set(t);
  point.hold();
  reconciler.setDesired(policy(1));
  await clock.rest();
  for (const revision of [2, 3, 4]) reconciler.setDesired(policy(revision));
  const kicked = reconciler.kick();
  await clock.advance(60_000);
  t.match(reconciler.status(), { state: 'applying', desiredRevision: 4, appliedRevision: null });
  point.release();
  await kicked;
  t.strictSame(calls(), ['look', 'push 1', 'push 4']);
  t.equal(point.mostAtOnce, 1);
  t.match(reconciler.status(), { state: 'current', appliedRevision: 4 });
});

t.test('a failure is retried with growing back-off, and a success resets it', async (t) => {
  const { reconciler, clock, point, states } = set(t, { canProbe: false });
  point.failure = unreachable;
  reconciler.setDesired(policy(1));
  await clock.rest();
  const attemptsAt = [clock.now()];
  for (let n = 0; n < 400; n += 1) {
    const before = point.calls.length;
    await clock.advance(250);
    if (point.calls.length > before) attemptsAt.push(clock.now());
  }
  const gaps = attemptsAt.slice(1).map((at, index) => at - (attemptsAt[index] ?? 0));
  t.strictSame(gaps, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  t.match(reconciler.status(), {
    state: 'unreachable',
    attempts: 9,
    lastError: { code: 'EDW_ERR_POINT_UNREACHABLE', mend: 'Start it.', at: Number },
  });
  point.failure = null;
  await clock.advance(30_000);
  t.match(reconciler.status(), { state: 'current', attempts: 0, lastError: null });
  t.strictSame(states, ['applying', 'unreachable', 'applying', 'current']);
  point.failure = unreachable;
  await reconciler.kick();
  point.calls.length = 0;
  await clock.advance(500);
  t.strictSame(point.calls, ['look'], 'the first delay again');
});

t.test('a new desire does not wait for the back-off, also when it came during the failure', async (t) => {
  const { reconciler, clock, point, calls } = set(t, { canProbe: false });
  point.failure = new Error('a bug');
  reconciler.setDesired(policy(1));
  await clock.rest();
  t.match(reconciler.status(), {
    state: 'behind',
    lastError: { code: 'EDW_ERR_POINT_DRIVER', message: /look at edge-1: a bug/ },
  });
  point.failure = null;
  reconciler.setDesired(policy(2));
  await clock.rest();
  t.strictSame(calls(), ['look', 'look', 'push 2']);
  point.hold();
  reconciler.setDesired(policy(3));
  await clock.rest();
  point.failure = unreachable;
  reconciler.setDesired(policy(4));
  point.release();
  await clock.rest();
  t.strictSame(calls(), ['push 3', 'look'], 'tried at once, and failed');
});

t.test('an older revision is refused, whoever pushed the newer one', async (t) => {
  const { reconciler, clock, point, calls } = set(t);
  reconciler.setDesired(policy(5));
  await clock.rest();
  t.throws(() => reconciler.setDesired(policy(4)), { code: 'EDW_ERR_REVISION_OLDER' });
  t.throws(() => reconciler.setDesired(policyOf(6, ['a'], 'edge-2')), { code: 'EDW_ERR_POINT_MISMATCH' });
  t.match(reconciler.status(), { state: 'current', desiredRevision: 5 });
  calls();

  const other = set(t);
  other.point.actual = { state: 'loaded', revision: 9, hash: 'x', drift: [], unfinished: [] };
  other.reconciler.setDesired(policy(8));
  await other.clock.rest();
  t.strictSame(other.calls(), ['look'], 'nothing is pushed at a point that holds a newer one');
  t.match(other.reconciler.status(), {
    state: 'behind',
    appliedRevision: 9,
    lastError: { code: 'EDW_ERR_REVISION_OLDER' },
  });
  other.reconciler.setDesired(policy(10));
  await other.clock.rest();
  t.match(other.reconciler.status(), { state: 'current', appliedRevision: 10 });
  t.equal(point.mostAtOnce, 1);
});

t.test('a service beside this one that is a revision ahead is no change by hand', async (t) => {
  for (const onDrift of ['repair', 'report'] as const) {
    const { reconciler, clock, point, calls } = set(t, { onDrift, driftCheckIntervalMs: 1_000 });
    reconciler.setDesired(policy(5));
    await clock.advance(2_000);
    calls();
    const { hash } = policy(6);
    point.actual = { state: 'loaded', revision: 6, hash, drift: ['the last-known file is older'], unfinished: [] };
    await clock.advance(5_000);
    t.notOk(
      calls().some((call) => call.startsWith('push')),
      onDrift,
    );
    t.match(reconciler.status(), { state: 'behind', appliedRevision: 6, drift: { count: 0 } }, onDrift);
    reconciler.setDesired(policy(7));
    point.actual = { ...point.actual, drift: [] };
    await clock.advance(2_000);
    t.match(reconciler.status(), { appliedRevision: 7, drift: { count: 0 } }, `${onDrift}, and overtaken`);
    point.actual = { ...point.actual, revision: 8, hash: policy(8).hash };
    await clock.advance(2_000);
    reconciler.setDesired(policy(8));
    await clock.advance(2_000);
    t.match(
      reconciler.status(),
      { state: 'current', appliedRevision: 8, drift: { count: 0 }, lastError: null },
      onDrift,
    );
  }
});

t.test(
  'a restart is noticed within a second and the point filled again, also where drift is only reported',
  async (t) => {
    for (const onDrift of ['repair', 'report'] as const) {
      const { reconciler, clock, point, calls } = set(t, { onDrift });
      reconciler.setDesired(policy(1));
      await clock.advance(5_000);
      calls();
      point.boot += 1;
      point.actual = { state: 'empty' };
      await clock.advance(999);
      t.strictSame(calls().slice(0, 2), ['look', 'push 1'], onDrift);
      t.match(reconciler.status(), { state: 'current', refills: 1, drift: { count: 0 } }, onDrift);
    }
  },
);

t.test('a restart right after a push is noticed too, before any probe has answered', async (t) => {
  const { reconciler, clock, point, calls } = set(t);
  reconciler.setDesired(policy(1));
  await clock.rest();
  point.boot += 1;
  point.actual = { state: 'empty' };
  await clock.advance(600);
  t.strictSame(calls(), ['look', 'push 1', 'look', 'push 1']);
});

t.test('a clock that is set back puts off neither a probe nor a retry', async (t) => {
  let backMs = 0;
  const clock = createManualClock(10_000_000);
  const { reconciler, point, calls } = set(t, { now: () => clock.now() - backMs, after: clock.after });
  reconciler.setDesired(policy(1));
  await clock.advance(2_000);
  calls();
  backMs = 3_600_000;
  point.boot += 1;
  point.actual = { state: 'empty' };
  await clock.advance(1_200);
  t.ok(calls().includes('push 1'), 'a restart in the same moment is noticed within a second');
  point.failure = unreachable;
  reconciler.setDesired(policy(2));
  await clock.advance(100);
  backMs = 7_200_000;
  point.failure = null;
  await clock.advance(1_200);
  t.match(reconciler.status(), { state: 'current', appliedRevision: 2 });
});

t.test('a point that was away for long is filled within a second of its return', async (t) => {
  const { reconciler, clock, point, calls } = set(t);
  reconciler.setDesired(policy(1));
  await clock.advance(1_000);
  point.failure = unreachable;
  await clock.advance(600_000);
  t.match(reconciler.status(), { state: 'unreachable', appliedRevision: 1 });
  calls();
  point.failure = null;
  point.boot += 1;
  point.actual = { state: 'empty' };
  await clock.advance(999);
  t.strictSame(calls().slice(0, 2), ['look', 'push 1']);
  t.equal(reconciler.status().state, 'current');
});

t.test('drift is found at the periodic check, and repaired', async (t) => {
  const { reconciler, clock, point, calls } = set(t, { driftCheckIntervalMs: 10_000 });
  reconciler.setDesired(policy(1));
  await clock.advance(1_000);
  calls();
  const table = [
    {
      name: 'an object changed',
      actual: { state: 'loaded', revision: 1, hash: policy(1).hash, drift: ['object a'], unfinished: [] },
    },
    { name: 'another policy', actual: { state: 'loaded', revision: 1, hash: 'other', drift: [] } },
  ] as const;
  for (const { name, actual } of table) {
    const before = reconciler.status().drift.count;
    point.actual = { ...actual, drift: [...actual.drift], unfinished: [] };
    await clock.advance(12_000);
    t.strictSame(calls().slice(0, 2), ['look', 'push 1'], name);
    t.match(reconciler.status(), { state: 'current', drift: { count: before + 1, last: { action: 'repair' } } }, name);
  }
});

t.test('where drift is only reported, nothing is written, and the point says that it is behind', async (t) => {
  const { reconciler, clock, point, calls } = set(t, { onDrift: 'report' });
  reconciler.setDesired(policy(1));
  await clock.advance(1_000);
  calls();
  point.actual = { state: 'loaded', revision: 1, hash: policy(1).hash, drift: ['object a'], unfinished: [] };
  await reconciler.kick();
  await clock.advance(20_000);
  t.strictSame(calls(), ['look']);
  t.match(reconciler.status(), {
    state: 'behind',
    lastError: null,
    drift: { count: 1, last: { changes: ['object a'], action: 'report' } },
  });
  reconciler.setDesired(policy(2));
  await clock.rest();
  t.match(reconciler.status(), { state: 'current', appliedRevision: 2 }, 'the next revision is pushed all the same');
});

t.test('a frozen point is left alone, a new policy included, until the change is undone', async (t) => {
  const { reconciler, clock, point, calls } = set(t, { onDrift: 'freeze', canProbe: false });
  reconciler.setDesired(policy(1));
  await clock.advance(1_000);
  calls();
  const whole = point.actual;
  point.actual = { state: 'loaded', revision: 1, hash: policy(1).hash, drift: ['object a'], unfinished: [] };
  reconciler.setDesired(policy(2));
  await clock.advance(40_000);
  t.notOk(
    calls().some((call) => call.startsWith('push')),
    'a change that was not seen before the new policy came is seen before it is written over',
  );
  t.match(reconciler.status(), {
    state: 'behind',
    appliedRevision: 1,
    lastError: { code: 'EDW_ERR_POINT_FROZEN' },
    drift: { last: { changes: ['object a'], action: 'freeze' } },
  });
  point.actual = whole;
  await clock.advance(40_000);
  t.match(reconciler.status(), { state: 'current', appliedRevision: 2, lastError: null }, 'undone, it goes on');
});

t.test('a frozen point that lost its policy is filled', async (t) => {
  const { reconciler, clock, point, calls } = set(t, { onDrift: 'freeze' });
  reconciler.setDesired(policy(1));
  await clock.advance(1_000);
  calls();
  point.actual = { state: 'empty' };
  await reconciler.kick();
  t.ok(calls().includes('push 1'));
});

t.test('two who write the same point do not fight at full speed', async (t) => {
  const { reconciler, clock, point } = set(t, { probeIntervalMs: 100 });
  reconciler.setDesired(policy(1));
  await clock.advance(1_000);
  const apply = point.apply;
  point.apply = async (desired) => {
    const applied = await apply(desired);
    point.actual = { state: 'loaded', revision: 1, hash: policy(1).hash, drift: ['changed again'], unfinished: [] };
    return applied;
  };
  point.calls.length = 0;
  point.actual = { state: 'loaded', revision: 1, hash: policy(1).hash, drift: ['changed'], unfinished: [] };
  await reconciler.kick();
  await clock.advance(60_000);
  const pushes = point.calls.filter((call) => call === 'push 1').length;
  t.ok(pushes > 3 && pushes < 10, `${pushes} repairs in a minute`);
});

t.test('what a cut push left behind is no drift', async (t) => {
  const { reconciler, clock, point } = set(t, { canProbe: false });
  reconciler.setDesired(policy(1));
  await clock.rest();
  point.hold();
  reconciler.setDesired(policy(2));
  await clock.rest();
  point.failure = unreachable;
  point.release();
  await clock.rest();
  point.failure = null;
  point.actual = { state: 'loaded', revision: 2, hash: policy(2).hash, drift: ['half a sweep'], unfinished: [] };
  await clock.advance(30_000);
  t.match(reconciler.status(), { state: 'current', appliedRevision: 2, drift: { count: 0 } });
});

t.test('what a push left undone is finished by the next process, whatever is done about drift', async (t) => {
  const left = { state: 'loaded', revision: 1, hash: policy(1).hash, drift: [], unfinished: ['not saved'] } as const;
  for (const onDrift of ['repair', 'report', 'freeze'] as const) {
    const { reconciler, clock, point, calls } = set(t, { onDrift });
    point.actual = { ...left, drift: [], unfinished: [...left.unfinished] };
    reconciler.setDesired(policy(1));
    await clock.advance(1_000);
    t.ok(calls().includes('push 1'), onDrift);
    t.match(reconciler.status(), { state: 'current', unfinished: [], lastError: null, drift: { count: 0 } }, onDrift);
  }
});

t.test('where drift is only reported, nothing is finished while somebody has changed the point', async (t) => {
  const { reconciler, clock, point, calls } = set(t, { onDrift: 'report' });
  reconciler.setDesired(policy(1));
  await clock.advance(1_000);
  calls();
  point.actual = { state: 'loaded', revision: 1, hash: policy(1).hash, drift: ['a'], unfinished: ['not saved'] };
  await reconciler.kick();
  await clock.advance(60_000);
  t.notOk(calls().some((call) => call.startsWith('push')));
  t.match(reconciler.status(), { state: 'behind', unfinished: ['not saved'] });
});

t.test('what somebody changes while unfinished work waits is seen before a push', async (t) => {
  const { reconciler, clock, point, calls } = set(t, { onDrift: 'freeze', canProbe: false });
  const left = { state: 'loaded', revision: 1, hash: policy(1).hash, drift: [], unfinished: ['not saved'] } as const;
  reconciler.setDesired(policy(1));
  await clock.rest();
  point.actual = { ...left, drift: [], unfinished: ['not saved'] };
  const apply = point.apply;
  point.apply = async (desired) => {
    const applied = await apply(desired);
    point.actual = { ...left, drift: [], unfinished: ['not saved'] };
    return applied;
  };
  await reconciler.kick();
  await clock.advance(30_000);
  t.ok(calls().filter((call) => call === 'push 1').length > 1, 'it is tried again and again');
  await reconciler.kick();
  point.actual = { ...left, drift: ['object a'], unfinished: ['not saved'] };
  calls();
  await clock.advance(120_000);
  t.notOk(
    calls().some((call) => call.startsWith('push')),
    'nothing is written over',
  );
  t.match(reconciler.status(), { state: 'behind', drift: { last: { changes: ['object a'], action: 'freeze' } } });
});

t.test('a frozen point is not even finished while somebody has changed it', async (t) => {
  const { reconciler, clock, point, calls } = set(t, { onDrift: 'freeze' });
  point.actual = { state: 'loaded', revision: 1, hash: policy(1).hash, drift: ['a'], unfinished: ['not saved'] };
  reconciler.setDesired(policy(1));
  await clock.advance(60_000);
  t.notOk(calls().some((call) => call.startsWith('push')));
  t.match(reconciler.status(), { lastError: { code: 'EDW_ERR_POINT_FROZEN' }, unfinished: ['not saved'] });
});

t.test('what a push can not finish is told, and tried again ever more rarely', async (t) => {
  const { reconciler, clock, point, calls } = set(t, { probeIntervalMs: 100 });
  const apply = point.apply;
  point.apply = async (desired) => {
    const applied = await apply(desired);
    const { revision, hash } = desired;
    point.actual = { state: 'loaded', revision, hash, drift: [], unfinished: ['not saved: refused'] };
    return applied;
  };
  reconciler.setDesired(policy(1));
  await clock.advance(60_000);
  const pushes = calls().filter((call) => call === 'push 1').length;
  t.ok(pushes > 3 && pushes < 12, `${pushes} pushes in a minute`);
  t.match(reconciler.status(), { state: 'current', unfinished: ['not saved: refused'], drift: { count: 0 } });
  reconciler.setDesired(policy(2));
  await clock.rest();
  t.equal(reconciler.status().appliedRevision, 2, 'a new policy waits for none of that');
});

t.test('closing waits for the push under way and starts nothing more', async (t) => {
  const { reconciler, clock, point, calls } = set(t);
  point.hold();
  reconciler.setDesired(policy(1));
  await clock.rest();
  reconciler.setDesired(policy(2));
  const closing = reconciler.close();
  await clock.rest();
  t.strictSame(calls(), ['look', 'push 1']);
  point.release();
  await closing;
  await reconciler.close();
  await clock.advance(60_000);
  await reconciler.kick();
  t.strictSame(calls(), ['close']);
});

t.test(
  'whatever happens in whatever order, the point comes to hold the newest desire once it is left in peace',
  async (t) => {
    for (let seed = 1; seed <= 200; seed += 1) {
      let drawn = seed;
      const draw = (below: number): number => {
        drawn = (drawn * 48_271) % 2_147_483_647;
        return drawn % below;
      };
      const { reconciler, clock, point } = set(t, { canProbe: seed % 2 === 0, driftCheckIntervalMs: 5_000 });
      const story: string[] = [];
      let revision = 0;
      const events: Record<string, () => void> = {
        desire: () => reconciler.setDesired(policy(++revision)),
        kick: () => void reconciler.kick(),
        hold: () => point.hold(),
        release: () => point.release(),
        break: () => {
          point.failure = unreachable;
        },
        mend: () => {
          point.failure = null;
        },
        restart: () => {
          point.boot += 1;
          point.actual = { state: 'empty' };
        },
        tamper: () => {
          if (point.actual.state === 'loaded') point.actual = { ...point.actual, drift: ['tampered'] };
        },
      };
      events.desire?.();
      for (let n = 0; n < 30; n += 1) {
        const name = Object.keys(events)[draw(8)] ?? '';
        story.push(name);
        events[name]?.();
        if (draw(2) === 0) await clock.advance(draw(3_000));
      }
      point.release();
      point.failure = null;
      await clock.advance(60_000);
      const { state, appliedRevision } = reconciler.status();
      const isWhole =
        point.actual.state === 'loaded' &&
        point.actual.hash === policy(revision).hash &&
        point.actual.drift.length === 0;
      if (state !== 'current' || appliedRevision !== revision || !isWhole || point.mostAtOnce !== 1) {
        t.fail(`seed ${seed}: ${state} at ${appliedRevision} of ${revision} after ${story.join(', ')}`);
      }
    }
    t.pass('200 stories');
  },
);
