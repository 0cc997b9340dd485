/** What comes next in a roll-out, and what people decide about it: tables. */
import type { EdgewardError } from '@edgeward/runtime';
import t from 'tap';
import { type Decision, decided } from '../src/rollout/decisions.ts';
import type { RolloutConfig } from '../src/rollout/index.ts';
import type { Sight, Sights } from '../src/rollout/sight.ts';
import { assigned, type RolloutState } from '../src/rollout/state.ts';
import { step } from '../src/rollout/step.ts';
import { HOUR, MINUTE, moved, NOW, point, rollout, SECOND, settings, sight, sights } from './rollout-kit.ts';

const NACK = { revision: 7, stage: 'compile' as const, code: 'EDW_ERR_TOO_FRAGMENTED', message: 'too many' };

/** The first wave has begun. */
const begun = (more: Partial<RolloutState> = {}): RolloutState =>
  step(rollout(more), sights({}), NOW, settings()).state;

/** The last wave has begun, and its points have applied the version a second later. */
function everywhere(more: Partial<RolloutState> = {}): RolloutState {
  const points = { 'edge-1': point({ movedMs: NOW }), 'edge-2': point({ wave: 1, movedMs: NOW }) };
  return rollout({ phase: { is: 'rolling', wave: 1, sinceMs: NOW }, points, ...more });
}

const both = (nowMs: number, more: Partial<Sight> = {}): Sights =>
  sights({
    'edge-1': sight(nowMs, { appliedMs: NOW + SECOND, ...more }),
    'edge-2': sight(nowMs, { appliedMs: NOW + SECOND, ...more }),
  });

t.test('the first wave begins at once, and with the rate of denials that it is measured by', async (t) => {
  const said = sights({ 'edge-1': sight(NOW, { deniedPerHour: 12 }) });
  const { state, actions } = step(rollout(), said, NOW, settings());
  t.strictSame(moved(state), ['edge-1']);
  t.equal(state.points['edge-1']?.deniedPerHour, 12);
  t.strictSame(
    actions.map(({ action, reason }) => `${action}: ${reason}`),
    ['rollout.wave: wave 1 of 2, canary: 1 points get version 2'],
  );
  t.strictSame(
    [...assigned(state)],
    [
      ['edge-1', 2],
      ['edge-2', 1],
    ],
  );
});

t.test('a wave is over when every point that can be reached has applied it and settled', async (t) => {
  const applied = { appliedMs: NOW + 5 * SECOND };
  const cases: { name: string; after: number; said: Record<string, Sight>; more?: Partial<Sights>; moved: string[] }[] =
    [
      { name: 'nothing was said', after: 10 * SECOND, said: {}, moved: ['edge-1'] },
      {
        name: 'it was heard, and has not applied it',
        after: 10 * SECOND,
        said: { 'edge-1': sight(NOW + 10 * SECOND) },
        moved: ['edge-1'],
      },
      {
        name: 'it has just applied it',
        after: 10 * SECOND,
        said: { 'edge-1': sight(NOW + 5 * SECOND, applied) },
        moved: ['edge-1'],
      },
      {
        name: 'time has passed, and nothing was heard of it since',
        after: 100 * SECOND,
        said: { 'edge-1': sight(NOW + 5 * SECOND, applied) },
        moved: ['edge-1'],
      },
      {
        name: 'it was heard once more after it settled',
        after: 70 * SECOND,
        said: { 'edge-1': sight(NOW + 66 * SECOND, applied) },
        moved: ['edge-1', 'edge-2'],
      },
      {
        name: 'it was away before, while others were heard',
        after: 10 * SECOND,
        said: { 'edge-1': sight(NOW - 10 * MINUTE), 'edge-2': sight(NOW + 9 * SECOND) },
        moved: ['edge-1', 'edge-2'],
      },
      {
        name: 'nobody is heard at all: it is the store that is alone',
        after: 10 * MINUTE,
        said: { 'edge-1': sight(NOW - 10 * MINUTE), 'edge-2': sight(NOW - 10 * MINUTE) },
        moved: ['edge-1'],
      },
      {
        name: 'the store was alone until now: silence from before says nothing',
        after: 10 * MINUTE,
        said: { 'edge-1': sight(NOW - 10 * MINUTE), 'edge-2': sight(NOW + 10 * MINUTE) },
        more: { sinceMs: NOW + 10 * MINUTE },
        moved: ['edge-1'],
      },
    ];
  for (const { name, after, said, more, moved: expect } of cases)
    t.strictSame(moved(step(begun(), sights(said, more), NOW + after, settings()).state), expect, name);
});

t.test('who is away is named on the record', async (t) => {
  const said = sights({ 'edge-1': sight(NOW - 10 * MINUTE), 'edge-2': sight(NOW + 9 * SECOND) });
  const { actions } = step(begun(), said, NOW + 10 * SECOND, settings());
  t.match(actions, [{ action: 'rollout.wave', reason: /get version 2; away: edge-1$/ }]);
});

t.test('points that it changes nothing at go with their wave, and nobody waits for them', async (t) => {
  const same = { changed: false };
  const points = { 'edge-1': point(same), 'edge-2': point({ wave: 1, ...same }), 'edge-3': point({ wave: 2 }) };
  const { state, actions } = step(rollout({ points, waves: ['a', 'b', 'all'] }), sights({}), NOW, settings());
  t.strictSame(moved(state), ['edge-1', 'edge-2', 'edge-3']);
  t.equal(actions.length, 3, 'each wave is on the record');
  t.match(state.phase, { is: 'rolling', wave: 2 });
  const nowhere = { 'edge-1': point(same), 'edge-2': point({ wave: 1, ...same }) };
  t.match(step(rollout({ points: nowhere }), sights({}), NOW, settings()).state.phase, { is: 'done' });
});

t.test('what a version has nothing for is dropped when it is everywhere, and not before', async (t) => {
  const points = { 'edge-1': point(), old: point({ wave: 2, gone: true, changed: false }) };
  const first = step(rollout({ points, waves: ['all'] }), sights({}), NOW, settings()).state;
  t.strictSame(
    [...assigned(first)],
    [
      ['edge-1', 2],
      ['old', 1],
    ],
  );
  const said = sights({ 'edge-1': sight(NOW + 70 * SECOND, { appliedMs: NOW + SECOND }) });
  const last = step(first, said, NOW + 70 * SECOND, settings()).state;
  t.equal(last.phase.is, 'done');
  t.strictSame([...assigned(last)], [['edge-1', 2]]);
});

t.test('trouble halts it, and points go back', async (t) => {
  const applied = { appliedMs: NOW + SECOND };
  const spike = (count: number, forMs: number): Partial<Sight> => ({ ...applied, denials: { count, forMs } });
  const cases: { name: string; after: number; said: Partial<Sight>; perHour?: number; kind: string | null }[] = [
    { name: 'a refusal', after: SECOND, said: { nack: NACK }, kind: 'nack' },
    { name: 'not applied in time', after: 301 * SECOND, said: {}, kind: 'not-applied' },
    { name: 'not applied, with time left', after: 299 * SECOND, said: {}, kind: null },
    {
      name: 'it came back a minute ago: its time begins anew',
      after: 400 * SECOND,
      said: { presentMs: NOW + 340 * SECOND },
      kind: null,
    },
    {
      name: 'the store was not serving it until a minute ago',
      after: 400 * SECOND,
      said: { servedMs: NOW + 340 * SECOND },
      kind: null,
    },
    { name: 'denials where there were none', after: 30 * SECOND, said: spike(21, 30 * SECOND), kind: 'denials' },
    { name: 'few denials are no spike', after: 30 * SECOND, said: spike(20, 30 * SECOND), kind: null },
    {
      name: 'as many denials as ever',
      after: MINUTE,
      said: spike(100, MINUTE),
      perHour: 6_000,
      kind: null,
    },
    {
      name: 'three times as many is the limit',
      after: MINUTE,
      said: spike(300, MINUTE),
      perHour: 6_000,
      kind: null,
    },
    { name: 'more than that', after: MINUTE, said: spike(301, MINUTE), perHour: 6_000, kind: 'denials' },
  ];
  for (const { name, after, said, perHour, kind } of cases) {
    const state = begun();
    const from = {
      ...state,
      points: { ...state.points, 'edge-1': point({ movedMs: NOW, deniedPerHour: perHour ?? 0 }) },
    };
    const next = step(from, sights({ 'edge-1': sight(NOW + after, said) }), NOW + after, settings());
    const trouble = next.state.phase.is === 'returned' ? next.state.phase.trouble : [];
    t.equal(trouble[0]?.kind ?? null, kind, name);
    if (kind === null) continue;
    t.strictSame(moved(next.state), [], `${name}: nobody keeps it`);
    t.strictSame(
      next.actions.map(({ action }) => action),
      ['rollout.halt', 'rollout.return'],
      name,
    );
  }
});

t.test('a wave that falls silent is trouble, as long as somebody else is heard', async (t) => {
  const after = NOW + 4 * MINUTE;
  const cases: { name: string; said: Record<string, Sight>; kind: string | null }[] = [
    {
      name: 'it was there when it was moved',
      said: { 'edge-1': sight(NOW - 20 * SECOND), 'edge-2': sight(after) },
      kind: 'silent',
    },
    {
      name: 'it had applied it',
      said: { 'edge-1': sight(NOW + SECOND, { appliedMs: NOW + SECOND }), 'edge-2': sight(after) },
      kind: 'silent',
    },
    { name: 'everybody is silent', said: { 'edge-1': sight(NOW), 'edge-2': sight(NOW) }, kind: null },
    {
      name: 'it was away long before',
      said: { 'edge-1': sight(NOW - HOUR), 'edge-2': sight(after) },
      kind: null,
    },
  ];
  for (const { name, said, kind } of cases) {
    const { phase } = step(begun(), sights(said), after, settings()).state;
    t.equal(phase.is === 'returned' ? phase.trouble[0]?.kind : null, kind, name);
  }
});

t.test('without a way back points stay, and the reason says why', async (t) => {
  const said = sights({ 'edge-1': sight(NOW, { nack: NACK }) });
  const older = { 'edge-1': point({ from: 1, movedMs: NOW }), 'edge-2': point({ wave: 1, from: 1 }) };
  const cases: { name: string; state: RolloutState; config?: Partial<RolloutConfig>; why: RegExp }[] = [
    { name: 'never approved', state: begun({ returnUntilMs: null }), why: /approved without a way back/ },
    { name: 'over', state: begun({ returnUntilMs: NOW - 1 }), why: /the time .* is over/ },
    { name: 'the first version', state: begun({ version: 1 }), why: /no version before it/ },
    { name: 'from an older one', state: begun({ version: 3, points: older }), why: /right before it/ },
    {
      name: 'by configuration',
      state: begun(),
      config: { onHalt: 'hold' },
      why: /^edge-1: it refused revision 7: compile/,
    },
  ];
  for (const { name, state, config, why } of cases) {
    const next = step(state, said, NOW, settings(config));
    t.match(next.state.phase, { is: 'halted', by: 'store', why }, name);
    t.strictSame(moved(next.state), moved(state), `${name}: nobody is moved`);
    t.strictSame(
      next.actions.map(({ action }) => action),
      ['rollout.halt'],
      name,
    );
  }
});

t.test('who missed the return keeps the version once the way back is over, and nobody else does', async (t) => {
  const points = { 'edge-1': point({ from: 1 }), 'edge-2': point({ from: 1 }), 'edge-3': point({ from: null }) };
  const end = { wave: 1, atMs: NOW, by: 'store', why: 'it refused', trouble: [] };
  const state = rollout({ points, phase: { is: 'returned', ...end }, returnUntilMs: NOW + HOUR });
  const late = { refusesOlder: true };
  const said = (nowMs: number) =>
    sights({ 'edge-1': sight(nowMs, late), 'edge-2': sight(nowMs), 'edge-3': sight(nowMs, late) });
  t.equal(step(state, said(NOW), NOW, settings()).state, state, 'it may still go back');
  const after = NOW + HOUR;
  const next = step(state, said(after), after, settings());
  t.strictSame(moved(next.state), ['edge-1']);
  t.match(next.actions, [{ action: 'rollout.wave', reason: /the way back is over for edge-1/ }]);
});

t.test('of several points only those go back that came from the version right before', async (t) => {
  const points = {
    'edge-1': point({ from: 2, movedMs: NOW }),
    'edge-2': point({ from: 1, movedMs: NOW }),
    new: point({ from: null, movedMs: NOW }),
    same: point({ from: 2, changed: false, movedMs: NOW }),
  };
  const state = rollout({ version: 3, points, phase: { is: 'rolling', wave: 1, sinceMs: NOW } });
  const next = step(state, sights({ 'edge-2': sight(NOW, { nack: NACK }) }), NOW, settings()).state;
  t.equal(next.phase.is, 'returned');
  t.strictSame(moved(next), ['edge-2', 'new']);
});

t.test('what is halted, returned or done goes nowhere by itself', async (t) => {
  const end = { wave: 0, atMs: NOW, by: 'store', why: 'x', trouble: [] };
  const phases: RolloutState['phase'][] = [
    { is: 'halted', ...end },
    { is: 'returned', ...end },
    { is: 'done', atMs: NOW },
  ];
  for (const phase of phases) {
    const state = { ...begun(), phase };
    for (const said of [both(NOW + HOUR), both(NOW + HOUR, { nack: NACK })])
      t.equal(step(state, said, NOW + HOUR, settings()).state, state, phase.is);
  }
});

t.test('a first enforcement waits for a person, and returns without one', async (t) => {
  const confirm = { objects: ['order-front'], dueMs: null, by: null };
  const timed = step(everywhere({ confirm }), both(NOW + SECOND), NOW + SECOND, settings()).state;
  t.equal(timed.confirm?.dueMs, NOW + SECOND + 10 * MINUTE, 'from when the last wave had applied it');
  const waiting = step(timed, both(NOW + 10 * MINUTE), NOW + 10 * MINUTE, settings());
  t.equal(waiting.state, timed, 'settled, and not done');
  const late = NOW + SECOND + 10 * MINUTE + 1;
  for (const onHalt of ['return', 'hold'] as const) {
    const missed = step(timed, both(late), late, settings({ onHalt })).state;
    t.match(missed.phase, { is: 'returned', why: /nobody confirmed that order-front may be enforced/ }, onHalt);
    t.strictSame(moved(missed), [], onHalt);
    t.equal(missed.confirm?.dueMs, null);
  }
  const yes = decided(timed, 'confirm', about(both(NOW + MINUTE), NOW + MINUTE));
  t.equal(step(yes, both(NOW + 30 * SECOND), NOW + 30 * SECOND, settings()).state, yes, 'it still has to settle');
  t.equal(step(yes, both(late), late, settings()).state.phase.is, 'done');
});

t.test('the time to confirm ends before the way back does', async (t) => {
  const confirm = { objects: ['order-front'], dueMs: null, by: null };
  const state = everywhere({ confirm, returnUntilMs: NOW + 5 * MINUTE });
  t.equal(step(state, both(NOW + SECOND), NOW + SECOND, settings()).state.confirm?.dueMs, NOW + 4 * MINUTE);
});

const about = (said: Sights, nowMs = NOW) => ({
  ...{ by: 'eve', reason: 'looks wrong', nowMs, sights: said, settings: settings() },
});

t.test('people halt, resume and return; each only where there is something to decide', async (t) => {
  const end = { wave: 0, atMs: NOW, by: 'store', why: 'x', trouble: [] };
  const rolling = begun();
  const states: Record<string, RolloutState> = {
    rolling,
    halted: { ...rolling, phase: { is: 'halted', ...end } },
    returned: { ...rolling, phase: { is: 'returned', ...end } },
    done: { ...rolling, phase: { is: 'done', atMs: NOW } },
    closed: { ...rolling, returnUntilMs: null },
  };
  const no = 'EDW_ERR_ROLLOUT_STATE';
  const expected: Record<Decision, Record<string, string>> = {
    halt: { rolling: 'halted', halted: no, returned: no, done: no, closed: 'halted' },
    resume: { rolling: no, halted: 'rolling', returned: 'rolling', done: no, closed: no },
    confirm: { rolling: no, halted: no, returned: no, done: no, closed: no },
    return: {
      ...{ rolling: 'returned', halted: 'returned', returned: no, done: 'returned' },
      closed: 'EDW_ERR_ROLLOUT_NO_WAY_BACK',
    },
  };
  for (const [decision, byState] of Object.entries(expected))
    for (const [name, expect] of Object.entries(byState))
      t.equal(outcome(states[name] ?? rolling, decision as Decision), expect, `${decision} of ${name}`);
  t.match(decided(rolling, 'halt', about(sights({}))).phase, { by: 'eve', why: 'looks wrong' });
  t.strictSame(moved(decided(rolling, 'halt', about(sights({})))), ['edge-1'], 'a halt takes nothing back');
  t.strictSame(moved(decided(states.done ?? rolling, 'return', about(sights({})))), []);
});

function outcome(state: RolloutState, decision: Decision): string {
  try {
    return decided(state, decision, about(sights({}))).phase.is;
  } catch (thrown) {
    return (thrown as EdgewardError).code;
  }
}

t.test('whoever resumes lets pass what is wrong by now, and nothing else', async (t) => {
  const held = step(begun(), sights({ 'edge-1': sight(NOW, { nack: NACK }) }), NOW, settings({ onHalt: 'hold' })).state;
  const said = sights({ 'edge-1': sight(NOW, { nack: NACK }), 'edge-2': sight(NOW) });
  const resumed = decided(held, 'resume', about(said));
  t.strictSame(resumed.excused, ['edge-1']);
  const next = step(resumed, said, NOW, settings()).state;
  t.strictSame(moved(next), ['edge-1', 'edge-2'], 'its wave is over');
  const other = sights({ 'edge-1': sight(NOW, { nack: NACK }), 'edge-2': sight(NOW, { nack: NACK }) });
  t.match(step(next, other, NOW, settings()).state.phase, { is: 'returned', trouble: [{ point: 'edge-2' }] });
});

t.test('what was returned begins with its first wave when it is resumed', async (t) => {
  const back = step(everywhere(), both(NOW, { nack: NACK }), NOW, settings()).state;
  t.strictSame(moved(back), []);
  const resumed = decided(back, 'resume', about(sights({})));
  t.strictSame(moved(step(resumed, sights({}), NOW, settings()).state), ['edge-1', 'edge-2'], 'both were excused');
  const fresh = { ...resumed, excused: [] };
  t.strictSame(moved(step(fresh, sights({}), NOW, settings()).state), ['edge-1']);
});
