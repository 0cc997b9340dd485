/** What must hold of a roll-out whatever points say, whatever people decide and whenever the store is killed. */
import assert from 'node:assert/strict';
import { EdgewardError } from '@edgeward/runtime';
import fc from 'fast-check';
import t from 'tap';
import { search } from '../../policy/test/runs.ts';
import { DECISIONS, type Decision, decided } from '../src/rollout/decisions.ts';
import type { RolloutConfig } from '../src/rollout/index.ts';
import type { Sight, Sights } from '../src/rollout/sight.ts';
import { assigned, canReturn, type PointPlan, type RolloutState } from '../src/rollout/state.ts';
import { step } from '../src/rollout/step.ts';
import { HOUR, MINUTE, moved, NOW, point, rollout, settings, sights } from './rollout-kit.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];

type Event =
  | { is: 'look'; afterMs: number; said: Record<string, Sight | null>; sinceMs: number }
  | { is: 'decide'; decision: Decision };

const arbitraryPlan: fc.Arbitrary<PointPlan> = fc.record({
  wave: fc.nat(2),
  from: fc.constantFrom(1, 2, 2, 2, null),
  changed: fc.boolean(),
  gone: fc.constant(false),
  movedMs: fc.constant(null),
  deniedPerHour: fc.constant(0),
});

const nack = { revision: 9, stage: 'apply' as const, code: 'EDW_ERR_X', message: 'x' };

const arbitrarySight = (nowMs: number): fc.Arbitrary<Sight> =>
  fc
    .record({
      agoMs: fc.nat(5 * MINUTE),
      appliedAgoMs: fc.option(fc.nat(5 * MINUTE)),
      refuses: fc.boolean(),
      denied: fc.nat(60),
      isQuiet: fc.boolean(),
    })
    .map(({ agoMs, appliedAgoMs, refuses, denied, isQuiet }) => ({
      heardMs: nowMs - agoMs,
      presentMs: NOW - HOUR,
      servedMs: null,
      appliedMs: appliedAgoMs === null ? null : nowMs - agoMs - appliedAgoMs,
      nack: refuses && !isQuiet ? nack : null,
      refusesOlder: false,
      denials: appliedAgoMs === null ? null : { count: isQuiet ? 0 : denied, forMs: appliedAgoMs },
      deniedPerHour: 0,
    }));

const arbitraryEvents: fc.Arbitrary<Event[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: arbitraryLook() },
    {
      weight: 1,
      arbitrary: fc.constantFrom(...DECISIONS).map((decision): Event => ({ is: 'decide', decision })),
    },
  ),
  { maxLength: 24 },
);

function arbitraryLook(): fc.Arbitrary<Event> {
  const said = fc.record(Object.fromEntries(NAMES.map((name) => [name, fc.option(arbitrarySight(0), { freq: 6 })])));
  return fc
    .record({ afterMs: fc.nat(3 * MINUTE), said, sinceMs: fc.constantFrom(-HOUR, 0) })
    .map((look): Event => ({ is: 'look', ...look }));
}

const arbitraryRollout: fc.Arbitrary<{ state: RolloutState; config: RolloutConfig; events: Event[] }> = fc
  .record({
    plans: fc.tuple(...NAMES.map(() => arbitraryPlan)),
    gone: fc.boolean(),
    hasConfirm: fc.boolean(),
    returnMs: fc.constantFrom(null, 10 * MINUTE, 24 * HOUR),
    onHalt: fc.constantFrom('return' as const, 'hold' as const),
    events: arbitraryEvents,
  })
  .map(({ plans, gone, hasConfirm, returnMs, onHalt, events }) => ({
    state: rollout({
      version: 3,
      waves: ['canary', '50 %', 'all'],
      returnUntilMs: returnMs === null ? null : NOW + returnMs,
      confirm: hasConfirm ? { objects: ['order-front'], dueMs: null, by: null } : null,
      points: {
        ...Object.fromEntries(NAMES.map((name, i) => [name, plans[i] ?? point()])),
        ...(gone ? { old: point({ wave: 3, from: 2, gone: true, changed: false }) } : {}),
      },
    }),
    config: settings({ onHalt }),
    events,
  }));

const at = (sight: Sight, nowMs: number): Sight => ({
  ...sight,
  heardMs: sight.heardMs + nowMs,
  appliedMs: sight.appliedMs === null ? null : sight.appliedMs + nowMs,
});

function lookOf(event: Extract<Event, { is: 'look' }>, nowMs: number): Sights {
  const said = Object.entries(event.said).flatMap(([name, it]) =>
    it === null ? [] : [[name, at(it, nowMs)] as const],
  );
  return sights(Object.fromEntries(said), { sinceMs: nowMs + event.sinceMs });
}

/** What is on disk is all that a store that was killed goes on from. */
function revived(state: RolloutState): RolloutState {
  return JSON.parse(JSON.stringify(state)) as RolloutState;
}

function checkStep(before: RolloutState, said: Sights, nowMs: number, config: RolloutConfig): RolloutState {
  const { state: after, actions } = step(before, said, nowMs, config);
  checkState(after);
  const gained = moved(after).filter((name) => !moved(before).includes(name));
  const moves = !sameAssignment(before, after);
  if (before.phase.is !== 'rolling') {
    assert.equal(after, before, 'what is over goes nowhere by itself');
    return before;
  }
  if (moves || after.phase.is !== before.phase.is)
    assert.ok(actions.length > 0, 'nothing changes that is not on the record');
  const reached = after.phase.is === 'done' ? after.waves.length : after.phase.wave;
  for (const name of gained) {
    assert.ok((after.points[name]?.wave ?? 99) <= reached, `${name} moved before its wave`);
    assert.ok(actions.some(({ action }) => action === 'rollout.wave'));
  }
  if (after.phase.is === 'halted' && before.phase.is === 'rolling') assert.ok(reached >= before.phase.wave);
  if (after.phase.is === 'halted' || after.phase.is === 'returned')
    assert.ok(actions.some(({ action }) => action === 'rollout.halt'));
  const again = step(revived(after), said, nowMs, config);
  assert.deepEqual(revived(again.state), revived(after), 'a step that is taken twice is taken once');
  assert.deepEqual(again.actions, []);
  return after;
}

function sameAssignment(a: RolloutState, b: RolloutState): boolean {
  return JSON.stringify([...assigned(a)]) === JSON.stringify([...assigned(b)]);
}

/** Never more points than the wave allows; returned means back; done means everywhere, and confirmed. */
function checkState(state: RolloutState): void {
  const { phase, points, confirm } = state;
  for (const [name, plan] of Object.entries(points)) {
    if (plan.gone) assert.equal(plan.movedMs, null, `${name} is given a version that has nothing for it`);
    const isAllowed = plan.movedMs === null || phase.is === 'done' || plan.wave <= phase.wave;
    // What could not go back when it was returned keeps it, also when it begins anew.
    assert.ok(isAllowed || !canReturn(state, plan), `${name} is ahead of its wave`);
    if (phase.is === 'returned') assert.ok(!canReturn(state, plan), `${name} was not returned`);
    if (phase.is === 'done') assert.ok(plan.gone || plan.movedMs !== null, `${name} was left behind`);
  }
  for (const [name, version] of assigned(state))
    assert.ok(version === state.version || version === points[name]?.from, `${name} has a version from nowhere`);
  if (phase.is === 'done' && confirm !== null) assert.ok(confirm.by !== null, 'done without a person');
}

t.test('waves, halts and returns keep their promises', async (t) => {
  fc.assert(
    fc.property(arbitraryRollout, ({ state: first, config, events }) => {
      let state = first;
      let nowMs = NOW;
      let said = sights({});
      for (const event of events) {
        if (event.is === 'look') {
          nowMs += event.afterMs;
          said = lookOf(event, nowMs);
          state = revived(checkStep(state, said, nowMs, config));
          continue;
        }
        const before = moved(state);
        try {
          state = decided(state, event.decision, { by: 'eve', reason: 'x', nowMs, sights: said, settings: config });
        } catch (thrown) {
          assert.ok(thrown instanceof EdgewardError);
          continue;
        }
        assert.ok(
          moved(state).every((name) => before.includes(name)),
          'no decision moves a point forward by itself',
        );
        if (state.phase.is !== 'done') checkState(state);
      }
    }),
    search(t, 1_500),
  );
});

t.test('when all is well it gets everywhere, in as many waves as it has', async (t) => {
  fc.assert(
    fc.property(arbitraryRollout, ({ state: first, config }) => {
      let state = first;
      let nowMs = NOW;
      const waves: string[] = [];
      for (let turns = 0; turns < 8 && state.phase.is === 'rolling'; turns += 1) {
        nowMs += 2 * MINUTE;
        const good: Sight = {
          ...{
            heardMs: nowMs,
            presentMs: NOW,
            servedMs: null,
            appliedMs: nowMs - 90_000,
            nack: null,
            refusesOlder: false,
          },
          ...{ denials: { count: 0, forMs: 90_000 }, deniedPerHour: 0 },
        };
        const said = sights(Object.fromEntries(NAMES.map((name) => [name, good])));
        const { state: next, actions } = step(state, said, nowMs, config);
        waves.push(...actions.map(({ action }) => action));
        state = next;
        if (
          state.confirm !== null &&
          state.confirm.dueMs !== null &&
          state.phase.is === 'rolling' &&
          state.confirm.by === null
        )
          state = decided(state, 'confirm', { by: 'eve', reason: 'fine', nowMs, sights: said, settings: config });
      }
      assert.equal(state.phase.is, 'done');
      assert.deepEqual(waves, ['rollout.wave', 'rollout.wave', 'rollout.wave', 'rollout.done']);
    }),
    search(t, 300),
  );
});
