/** From a version and a configuration to waves. */
import { type Approval, digestOf, rulesBytes } from '@edgeward/policy-format';
import { describeSchema } from '@edgeward/runtime';
import { sliceDocuments } from '@edgeward/test/kit';
import t from 'tap';
import * as z from 'zod';
import { DEFAULT_ROLLOUT, rolloutSchema } from '../src/rollout/index.ts';
import { type PlanInputs, type PlanSlice, plannedRollout, wavesOf } from '../src/rollout/plan.ts';
import { NOW } from './rollout-kit.ts';

type Front = { point: string; tier?: string; mode?: string; port?: number };

function slices(...fronts: Front[]): PlanSlice[] {
  const documents = fronts.map(({ point, tier = 'main', mode = 'enforce', port = 443 }) => ({
    ...{ kind: 'VirtualServer', name: `front-${point}`, labels: { tier, 'has-port': String(port) }, point },
    ...{ bind: `front-${point}`, ports: [`tcp/${port}`], mode },
  }));
  return sliceDocuments(documents).map((rules) => ({ point: rules.point, rules, digest: digestOf(rulesBytes(rules)) }));
}

const many = (count: number): PlanSlice[] =>
  slices(...Array.from({ length: count }, (_, i) => ({ point: `edge-${i}`, tier: i % 5 === 0 ? 'canary' : 'main' })));

const payload = (more: Partial<Approval> = {}): Approval => ({ version: 3, returnUntil: null, ...more }) as Approval;

function plan(more: Partial<PlanInputs> = {}): ReturnType<typeof plannedRollout> {
  return plannedRollout({
    ...{ payload: payload(), digest: 'd'.repeat(64), slices: [], before: new Map(), unconfirmed: [] },
    ...{ waves: DEFAULT_ROLLOUT.waves, atOnce: null, nowMs: NOW },
    ...more,
  });
}

const before = (version: number, ...them: PlanSlice[]): PlanInputs['before'] =>
  new Map(them.map((slice) => [slice.point, { version, slice }]));

t.test('waves are cumulative: a point belongs to the first that takes one of its objects', async (t) => {
  const all = many(50);
  const waves = [{ match: "tier in {'canary', 'none'}" }, { percent: 40 }, { all: true as const }];
  const first = wavesOf(all, waves);
  const of = (wave: number): number => [...first.values()].filter((it) => it === wave).length;
  t.equal(first.size, 50);
  t.equal(of(0), 10);
  t.ok(of(1) > 0 && of(1) <= 20, 'a share of all points, some of which are canaries');
  t.equal(of(0) + of(1) + of(2), 50);
  t.equal(wavesOf(slices({ point: 'a', tier: 'none' }), waves).get('a'), 0);
});

t.test('a share is exact, is never nobody, and is the same points every time', async (t) => {
  for (const [count, percent, expect] of [
    [50, 10, 5],
    [3, 10, 1],
    [7, 50, 4],
    [9, 100, 9],
  ] as const) {
    const chosen = wavesOf(many(count), [{ percent }]);
    t.equal(chosen.size, expect, `${percent} % of ${count}`);
    t.strictSame([...wavesOf(many(count).reverse(), [{ percent }]).keys()].sort(), [...chosen.keys()].sort());
  }
  const ten = [...wavesOf(many(50), [{ percent: 10 }]).keys()];
  const twenty = wavesOf(many(50), [{ percent: 20 }]);
  t.ok(
    ten.every((point) => twenty.has(point)),
    'a larger share holds the smaller one',
  );
});

t.test('what changes nothing, what is new and what is gone', async (t) => {
  const was = slices({ point: 'edge-1' }, { point: 'edge-2' }, { point: 'old' });
  const is = slices({ point: 'edge-1' }, { point: 'edge-2', port: 8443 }, { point: 'new' });
  const { points } = plan({ slices: is, before: before(2, ...was) });
  t.match(points['edge-1'], { from: 2, changed: false, gone: false, movedMs: null });
  t.match(points['edge-2'], { from: 2, changed: true });
  t.match(points.new, { from: null, changed: true });
  t.match(points.old, { from: 2, changed: false, gone: true });
});

t.test('what is enforced for the first time is to be confirmed', async (t) => {
  const observed = slices({ point: 'edge-1', mode: 'observe' }, { point: 'edge-2' });
  const enforced = slices({ point: 'edge-1' }, { point: 'edge-2' });
  const cases: { name: string; inputs: Partial<PlanInputs>; objects: string[] | null }[] = [
    { name: 'it was observed', inputs: { before: before(2, ...observed) }, objects: ['front-edge-1'] },
    { name: 'it was enforced', inputs: { before: before(2, ...enforced) }, objects: null },
    { name: 'it is new', inputs: { before: before(2, ...enforced.slice(1)) }, objects: ['front-edge-1'] },
    {
      name: 'it was enforced, and nobody had confirmed that',
      inputs: { before: before(2, ...enforced), unconfirmed: ['front-edge-1'] },
      objects: ['front-edge-1'],
    },
    { name: 'the first version has no way back', inputs: { payload: payload({ version: 1 }) }, objects: null },
    { name: 'to all at once', inputs: { before: before(2, ...observed), atOnce: 'restore' }, objects: null },
  ];
  for (const { name, inputs, objects } of cases)
    t.strictSame(plan({ slices: enforced, ...inputs }).confirm?.objects ?? null, objects, name);
  t.equal(plan({ slices: observed, before: before(2, ...enforced) }).confirm, null, 'less is no first enforcement');
});

t.test('what goes to all at once has one wave, whatever is configured', async (t) => {
  const waves = [{ percent: 10 }, { all: true as const }];
  const inputs = { slices: many(20), waves };
  t.strictSame(plan(inputs).waves, ['10 %', 'all']);
  const { waves: titles, points } = plan({ ...inputs, atOnce: 'break-glass' });
  t.strictSame(titles, ['all']);
  t.ok(Object.values(points).every(({ wave }) => wave === 0));
});

t.test('the configuration is read with its defaults, and refused with a reason', async (t) => {
  t.strictSame(DEFAULT_ROLLOUT, {
    ...{ waves: [{ all: true }], settleSeconds: 60, applyTimeoutSeconds: 300, denySpike: 3, denyFloor: 20 },
    ...{ confirmMinutes: 10, onHalt: 'return' },
  });
  const refused: [string, unknown, RegExp][] = [
    ['no wave for all', { waves: [{ percent: 10 }] }, /the last wave, and no other, is `all: true`/],
    ['all before the last', { waves: [{ all: true }, { all: true }] }, /the last wave/],
    ['two in one', { waves: [{ percent: 10, all: true }] }, /one of `match`, `percent` and `all`/],
    ['nothing', { waves: [{}] }, /one of/],
    ['no selector', { waves: [{ match: "tier = 'canary'" }, { all: true }] }, /it is no selector: /],
    ['an empty one', { waves: [{ match: '' }, { all: true }] }, /match/],
    ['nobody', { waves: [{ percent: 0 }, { all: true }] }, /percent/],
    ['another key', { waves: [{ percentage: 10 }, { all: true }] }, /percentage/],
    ['never', { confirmMinutes: 0 }, /confirmMinutes/],
    ['another word', { onHalt: 'stop' }, /onHalt/],
  ];
  for (const [name, value, message] of refused) {
    const { success, error } = rolloutSchema.safeParse(value);
    t.notOk(success, name);
    t.match(JSON.stringify(error?.issues), message, name);
  }
  const rows = describeSchema(z.strictObject({ rollout: rolloutSchema.prefault({}) }));
  t.ok(rows.length >= 7);
  for (const { path, description } of rows.slice(1)) t.not(description, '', path);
});
