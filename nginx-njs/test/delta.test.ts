/** Changes of few addresses: what is pushed, and that whatever a zone went through it judges as a whole push would have it. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CompiledPolicy, type CompileMemo, decide, type Flow, viewOf } from '@edgeward/policy';
import { EdgewardError } from '@edgeward/runtime';
import fc from 'fast-check';
import t from 'tap';
import { runs, seed } from '../../test/parity/random-runs.ts';
import { layOut } from '../driver/entries.ts';
import { type ObjectTables, tablesOf } from '../driver/object-tables.ts';
import { tableDelta } from '../driver/table-delta.ts';
import { changedBucket, slotOf } from '../src/layout.ts';
import { arbitraryChange, type Change, changed, estate, policyOf } from './fixtures/changing-policy.ts';
import { smallPolicy } from './fixtures/policies.ts';
import { nameOf, type ZoneInNode, zoneInNode } from './fixtures/zone-in-node.ts';

const emptyMemo = (): CompileMemo => ({ objects: Object.create(null) });
const BASE = 'a'.repeat(12);
const NEXT = 'b'.repeat(12);
const buckets = (count: number, value = '00ff00ff0000'): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [(0x1000 + n).toString(16), value]));
const whole = buckets(2000);
const without = ({ '1005': _gone, ...rest }: Record<string, string>): Record<string, string> => rest;

/** What a zone that holds base and delta answers for a bucket. */
function answered(base: ObjectTables, slots: Map<string, string>, bucket: string): string | undefined {
  const slot = [...slots].find(([key]) => key.endsWith(`!${slotOf(bucket)}`));
  const value = slot === undefined ? null : changedBucket(slot[1], bucket);
  return value === null ? base.table[bucket] : value || undefined;
}

function slotWord(held: Map<string, string>): string {
  const touched = [...held.keys()].map((key) => Number.parseInt(key.slice(-2), 16));
  return Array.from({ length: 256 }, (_, slot) => (touched.includes(slot) ? '1' : '0')).join('');
}

t.test('a delta turns the tables that are there into those that are wanted', async (t) => {
  const rules = ['=r'];
  const backwards = Object.fromEntries(Object.entries(whole).reverse());
  const table: [name: string, next: Record<string, string>, rules: string[], slots: number, ownRules: boolean][] = [
    ['nothing', whole, rules, 0, false],
    ['in another order', backwards, rules, 0, false],
    ['one more', { ...whole, abcd: '00010001' }, rules, 1, false],
    ['one less', without(whole), rules, 1, false],
    ['one other', { ...whole, 1005: '00010001' }, rules, 1, false],
    ['two of one slot', { ...whole, 1005: '00010001', 1105: '00020002' }, rules, 1, false],
    ['wide ones', { ...whole, '*4': '00ff00ff0000', '*6': '2001db812001db810000' }, rules, 1, false],
    ['one that divides', { ...whole, 1005: '+', 100501: '0000', 100502: '0000' }, rules, 3, false],
    ['one that empties, and one that comes', { ...without(whole), 20010: '0000' }, rules, 2, false],
    ['another rule', whole, ['=s'], 0, true],
    ['one more class', { ...whole, abcd: '00010001' }, ['=r', '[]'], 1, true],
  ];
  const base = tablesOf(BASE, whole, rules);
  for (const [name, wanted, wantedRules, slots, ownRules] of table) {
    const next = tablesOf(NEXT, wanted, wantedRules);
    const delta = tableDelta(base, next, nameOf);
    if (delta === null) {
      t.fail(`${name}: no delta`);
      continue;
    }
    const held = new Map(delta.slotEntries);
    t.equal(held.size, slots, `${name}: so many slots`);
    t.equal(delta.slots, slots === 0 ? '' : slotWord(held), `${name}: and the header says which`);
    const names = new Set([...Object.keys(whole), ...Object.keys(wanted)]);
    t.ok(
      [...names].every((bucket) => answered(base, held, bucket) === wanted[bucket]),
      `${name}: every bucket`,
    );
    t.equal(delta.rulesId !== BASE, ownRules, `${name}: rules of its own`);
  }
});

t.test('what is small, or changed much, is written whole', async (t) => {
  const large = tablesOf(BASE, whole, ['=r']);
  const few = tablesOf(BASE, buckets(20), ['=r']);
  t.equal(tableDelta(few, tablesOf(NEXT, { ...buckets(20), abcd: '00' }, ['=r']), nameOf), null, 'small');
  t.equal(
    tableDelta(large, tablesOf(NEXT, buckets(2000, '00010001'), ['=r']), nameOf),
    null,
    'another value everywhere',
  );
  t.equal(tableDelta(large, tablesOf(NEXT, buckets(100), ['=r']), nameOf), null, 'nearly all gone');
  t.equal(tableDelta(large, tablesOf(NEXT, whole, ['x'.repeat(90_000)]), nameOf), null, 'many rules');
});

t.test('ten addresses among many travel in one piece of less than 10 KB, and so does each next ten', async (t) => {
  const zone = zoneInNode();
  const point = zone.drive(join(t.testdir({}), 'last-known'));
  t.teardown(point.close);
  let now = estate(5000);
  const memo = emptyMemo();
  await point.apply(policyOf(now, 1, memo));
  const first = zone.taken();
  for (let revision = 2; revision < 6; revision += 1) {
    now = changed(now, { do: 'add', rule: 0, at: revision * 77, count: 10, crowd: false });
    const { writes, bytes } = await point.apply(policyOf(now, revision, memo));
    t.comment(`${writes} writes of ${bytes} characters; the first push took ${first.chars}`);
    t.strictSame([writes, bytes < 10_000], [2, true], 'the delta, and the switch');
  }
  now = changed(now, { do: 'mode', at: 0 });
  t.ok((await point.apply(policyOf(now, 6))).bytes < 2000, 'of another mode the header alone is new');
});

t.test('a module from before deltas gets what it can read, and deltas begin when it is updated', async (t) => {
  const zone = zoneInNode();
  const point = zone.drive(join(t.testdir({}), 'last-known'));
  t.teardown(point.close);
  let now = estate(1500);
  const next = (revision: number): CompiledPolicy => {
    now = changed(now, { do: 'add', rule: 0, at: revision * 99, count: 2, crowd: false });
    return policyOf(now, revision);
  };
  zone.former(true);
  for (const revision of [1, 2]) {
    const policy = next(revision);
    await point.apply(policy);
    compare(zone, [policy], policy);
    t.strictSame(formsOf(zone), { deltas: 0, words: 0 }, 'tables are whole, headers and rules are JSON');
  }
  t.equal((await point.apply({ ...policyOf(now, 2) })).writes, 0);
  zone.former(false);
  for (const revision of [3, 4]) {
    const policy = next(revision);
    await point.apply(policy);
    compare(zone, [policy], policy);
  }
  t.match(formsOf(zone), { deltas: /[1-9]/, words: /[1-9]/ });
  t.match((await point.inspect()) as object, { revision: 4, drift: [] });
  zone.former(true);
  const last = next(5);
  await point.apply(last);
  for (let wait = 0; wait < 15_000 && formsOf(zone).deltas > 0; wait += 1) await sleep(2);
  t.strictSame(formsOf(zone), { deltas: 0, words: 0 }, 'and end when it is set back');
  compare(zone, [last], last);
});

/** How many entries a module from before deltas could not read. */
function formsOf(zone: ZoneInNode): { deltas: number; words: number } {
  const entries = [...zone.entries];
  const isWord = ([key, value]: [string, string]): boolean =>
    (key.startsWith('@') && !value.startsWith('{')) || (/^[0-9a-f]{12}#/.test(key) && !value.startsWith('['));
  return { deltas: entries.filter(([key]) => key.includes('!')).length, words: entries.filter(isWord).length };
}

t.test('a part of a delta that is not there fails, and brings nothing back', async (t) => {
  const zone = zoneInNode();
  const point = zone.drive(join(t.testdir({}), 'last-known'));
  t.teardown(point.close);
  const before = estate(1500);
  await point.apply(policyOf(before, 1));
  const [gone = ''] = before.sources[0];
  await point.apply(policyOf({ ...before, sources: [before.sources[0].slice(1), before.sources[1]] }, 2));
  const flow = { from: gone, to: 'shop', port: 'tcp/443' };
  t.equal(zone.judge(flow).verdict, 'deny');
  const [slot = ''] = [...zone.entries.keys()].filter((key) => key.includes('!'));
  zone.entries.delete(slot);
  t.throws(() => zone.judge(flow), /delta .* is not in the zone/, 'the hook denies what throws');
  t.match((await point.inspect()) as object, { drift: [/entries differ/] }, 'and it is drift');
  await point.apply(policyOf({ ...before, sources: [before.sources[0].slice(1), before.sources[1]] }, 2));
  t.equal(zone.judge(flow).verdict, 'deny', 'mended');
});

t.test('when nothing is pushed any more, deltas are taken into whole tables, and no verdict changes', async (t) => {
  const zone = zoneInNode();
  const folder = t.testdir({});
  const point = zone.drive(join(folder, 'last-known'), { wholeAfterMs: 20 });
  t.teardown(point.close);
  let now = estate(1500);
  await point.apply(policyOf(now, 1));
  now = changed(changed(now, { do: 'add', rule: 0, at: 5, count: 3, crowd: true }), { do: 'path', at: 1 });
  const wanted = policyOf(now, 2);
  await point.apply(wanted);
  const deltas = (): number => [...zone.entries.keys()].filter((key) => key.includes('!')).length;
  t.ok(deltas() > 0, 'there is a delta');
  for (let wait = 0; wait < 15_000 && deltas() > 0; wait += 1) {
    compare(zone, [wanted], wanted);
    await sleep(2);
  }
  t.equal(deltas(), 0, 'and then there is none');
  compare(zone, [wanted], wanted);
  await proveTidy(zone, { first: point, other: point }, wanted);
  const stranger = zone.drive(join(folder, 'another'));
  t.teardown(stranger.close);
  t.equal((await stranger.apply(wanted)).writes, 0, 'whoever knows nothing finds everything by its name');
});

t.test(
  'a zone that is loaded from the file while a push broke off and begins again keeps what was loaded',
  async (t) => {
    const file = join(t.testdir({}), 'last-known');
    const held = policyOf(estate(1500), 1);
    const [from = ''] = estate(1).sources[0];
    const flow = { from, to: 'shop', port: 'tcp/443' };
    for (const call of ['keys', 'delete', 'begin', 'set'] as const) {
      const zone = zoneInNode();
      // Long enough that the collector comes when the push has broken off.
      const point = zone.drive(file, { graceMs: 40 });
      t.teardown(point.close);
      await point.apply(held);
      zone.empty();
      // As far as a worker has come that has begun to load the file.
      zone.entries.set('writer', '0'.repeat(16));
      zone.cut(1, false);
      t.equal(await push(point, policyOf(estate(1501), 2)), false, 'a push breaks off');
      zone.mend();
      zone.before(call, () => zone.judge(flow, file));
      await sleep(100);
      t.match(zone.judge(flow, file), { verdict: 'allow', revision: 1 }, `loaded before ${call}`);
    }
  },
);

interface Act {
  change: Change;
  /** What happens to the push. */
  fate: 'sound' | 'cut' | 'lost';
  at: number;
  /** Who pushes: the first service, its heir of the same files, or another service. */
  who: 'first' | 'heir' | 'other';
}

const arbitraryActs: fc.Arbitrary<Act[]> = fc.array(
  fc.record({
    change: arbitraryChange,
    fate: fc.constantFrom('sound', 'sound', 'sound', 'cut', 'lost'),
    at: fc.integer({ min: 1, max: 8 }),
    who: fc.constantFrom('first', 'first', 'first', 'heir', 'other'),
  }),
  { minLength: 2, maxLength: 10 },
);

t.test('whatever happened to a zone, it judges as the policy in force does', async (t) => {
  const folder = t.testdir({});
  const chosen = seed();
  const numRuns = runs(25);
  t.comment(`EDGEWARD_SEED=${chosen} repeats these ${numRuns} histories`);
  const seen = { deltas: 0, whole: 0, cut: 0 };
  let history = 0;
  const property = fc.asyncProperty(arbitraryActs, async (acts) => {
    history += 1;
    await live(zoneInNode(), acts, (name) => join(folder, `${history}-${name}`), seen);
  });
  await fc.assert(property, { seed: chosen, numRuns });
  t.comment(JSON.stringify(seen));
  t.ok(seen.deltas > 0 && seen.whole > 0 && seen.cut > 0, 'with deltas, whole pushes, and some that were cut');
});

async function live(
  zone: ZoneInNode,
  acts: Act[],
  file: (name: string) => string,
  seen: { deltas: number; whole: number; cut: number },
): Promise<void> {
  const points = { first: zone.drive(file('one')), other: zone.drive(file('two')) };
  let now = estate(700);
  const memo = emptyMemo();
  let inForce = policyOf(now, 1, memo);
  await points.first.apply(inForce);
  try {
    for (const [index, { change, fate, at, who }] of acts.entries()) {
      now = changed(now, change);
      // Another service compiles for itself.
      const wanted = who === 'other' ? policyOf(now, index + 2) : policyOf(now, index + 2, memo);
      if (who === 'heir') await points.first.close();
      if (who === 'heir') points.first = zone.drive(file('one'));
      if (fate !== 'sound') zone.cut(at, fate === 'lost');
      const before = inForce;
      const point = who === 'other' ? points.other : points.first;
      const isDone = await push(point, wanted);
      zone.mend();
      if (!isDone) seen.cut += 1;
      // Cut anywhere, it is the one or the other, whole; and then whoever pushes again makes it the other.
      inForce = isDone || zone.entries.get('active')?.split(' ')[1] === `${wanted.revision}` ? wanted : before;
      compare(zone, [before, wanted], inForce);
      if (!isDone && !(await push(point, wanted))) throw new Error('the next push was refused');
      inForce = wanted;
      compare(zone, [before, wanted], wanted);
      seen[[...zone.entries.keys()].some((key) => key.includes('!')) ? 'deltas' : 'whole'] += 1;
    }
    await proveTidy(zone, points, inForce);
  } finally {
    await Promise.all([points.first.close(), points.other.close()]);
  }
}

/** Another's collector may come in between: whoever pushes tries again. */
async function push(
  point: { apply(policy: CompiledPolicy): Promise<unknown> },
  wanted: CompiledPolicy,
): Promise<boolean> {
  for (let attempt = 0; attempt < 20_000; attempt += 1) {
    try {
      await point.apply(wanted);
      return true;
    } catch (thrown) {
      const code = thrown instanceof EdgewardError ? thrown.code : '';
      if (code === 'EDW_ERR_POINT_UNREACHABLE') return false;
      if (code !== 'EDW_ERR_POINT_TAKEN') throw thrown;
      await sleep(1);
    }
  }
  return false;
}

/** Where two policies differ, beside it, and elsewhere. */
function compare(zone: ZoneInNode, policies: CompiledPolicy[], inForce: CompiledPolicy): void {
  const view = viewOf(inForce);
  for (const flow of flowsAround(policies)) {
    const [found, wanted] = [zone.judge(flow), decide(view, flow)];
    if (JSON.stringify(found) !== JSON.stringify(wanted))
      throw new Error(`${flow.from}: ${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`);
  }
}

function flowsAround(policies: CompiledPolicy[]): Flow[] {
  const names = new Set<string>();
  const [one, other] = policies.map((policy) => policy.objects[0]?.sources ?? {});
  for (const name of Object.keys({ ...one, ...other })) if (one?.[name] !== other?.[name]) names.add(name);
  const sample = [...names].filter((name) => /^[0-9a-f]{4,8}$/.test(name)).slice(0, 60);
  const addresses = [...sample.flatMap(addressesIn), '10.1.2.3', '12.0.0.0', '2001:db8::2', '192.0.2.1', '11.5.5.185'];
  return addresses.flatMap((from) => [
    { from, to: 'shop', port: 'tcp/443', path: '/v1/x' },
    { from, to: 'small', port: 'tcp/80' },
  ]);
}

function addressesIn(bucket: string): string[] {
  if (bucket.length === 8) return [`${bucket.slice(0, 4)}:${bucket.slice(4)}::2`];
  const bytes = Array.from({ length: bucket.length / 2 }, (_, at) =>
    Number.parseInt(bucket.slice(at * 2, at * 2 + 2), 16),
  );
  const places = [0, 1, 2, 9, 130].map((last) => [...bytes, 9, last].slice(0, 4));
  return [...places, [...bytes, 0, 0].slice(0, 4)].map((parts) => parts.join('.'));
}

/** Nothing is left but what is in force, and two services that want the same leave each other alone. */
async function proveTidy(
  zone: ZoneInNode,
  points: Record<'first' | 'other', ReturnType<ZoneInNode['drive']>>,
  inForce: CompiledPolicy,
): Promise<void> {
  if (!(await push(points.first, inForce))) throw new Error('the last push was refused');
  for (let wait = 0; wait < 15_000 && litterIn(zone, inForce).length > 0; wait += 1) await sleep(2);
  const litter = litterIn(zone, inForce);
  if (litter.length > 0) throw new Error(`left behind: ${litter.slice(0, 5).join(' ')}`);
  if (!(await push(points.other, inForce))) throw new Error('the other is refused');
  await sleep(5);
  for (const point of [points.first, points.other, points.first]) {
    const actual = await point.inspect();
    if (actual.state === 'empty' || actual.drift.length > 0) throw new Error(`drift: ${JSON.stringify(actual)}`);
    const { writes } = await point.apply(inForce);
    if (writes > 0) throw new Error(`${writes} writes of what is there`);
  }
}

/** Keys that nothing in force leads to. */
function litterIn(zone: ZoneInNode, inForce: CompiledPolicy): string[] {
  const keys = [...zone.entries.keys()].filter((key) => /^@|^[0-9a-f]{12}[*#!0-9a-f]/.test(key));
  const headers = keys.filter((key) => key.startsWith(`@${nameOf(inForce.hash)}/`));
  const used = new Set(headers.flatMap((key) => (zone.entries.get(key) ?? '').split(' ').slice(0, 3)));
  return keys.filter((key) => !headers.includes(key) && !used.has(key.slice(0, 12)));
}

t.test('two objects that would have one name in the zone are refused', (t) => {
  const policy = smallPolicy({ revision: 1, objects: ['order-front', 'crm'] });
  const [one, other] = policy.objects;
  if (one === undefined || other === undefined) throw new Error('two objects');
  const twin = { ...other, hash: one.hash.slice(0, 12) + other.hash.slice(12) };
  const byHash = { nameOf: (hash: string) => hash.slice(0, 12) };
  t.throws(() => layOut({ ...policy, objects: [one, twin] }, byHash), {
    code: 'EDW_ERR_POINT_CAPACITY',
    message: /crm/,
  });
  t.doesNotThrow(() => layOut(policy, byHash));
  t.end();
});

t.test('hashes that begin alike, as somebody may search them, are told apart, over revisions too', async (t) => {
  const zone = zoneInNode();
  const point = zone.drive(join(t.testdir({}), 'last-known'));
  t.teardown(point.close);
  const [before, searched] = [estate(1500), estate(1499)].map((estate, at) => {
    const { objects, ...policy } = policyOf(estate, at + 1);
    const alike = (hash: string): string => `c0ffeec0ffee${hash.slice(12)}`;
    return { ...policy, hash: alike(policy.hash), objects: objects.map((it) => ({ ...it, hash: alike(it.hash) })) };
  }) as [CompiledPolicy, CompiledPolicy];
  const gone = { from: estate(1500).sources[0].at(-1) ?? '', to: 'shop', port: 'tcp/443' };
  await point.apply(before);
  t.equal(zone.judge(gone).verdict, 'allow');
  await point.apply(searched);
  t.match(zone.judge(gone), { verdict: 'deny', revision: 2 }, 'who was taken out is out');
  compare(zone, [before, searched], searched);
});

t.test(
  'what is in force keeps its name when the push token changes, and the next policy is named by the new one',
  async (t) => {
    const zone = zoneInNode();
    const folder = t.testdir({});
    const point = zone.drive(join(folder, 'one'));
    t.teardown(point.close);
    const [first, second] = [policyOf(estate(1500), 1), policyOf(estate(1499), 2)];
    await point.apply(first);
    const heir = zone.drive(join(folder, 'one'), { token: 'another' });
    t.teardown(heir.close);
    t.ok((await heir.apply(first)).bytes < 2000, 'only what is small is written again');
    t.ok(zone.entries.get('active')?.startsWith(nameOf(first.hash)));
    compare(zone, [first], first);
    t.match((await heir.inspect()) as object, { revision: 1, drift: [] });
    await heir.apply(second);
    compare(zone, [first, second], second);
    t.notOk(zone.entries.get('active')?.startsWith(nameOf(second.hash)));
    t.match((await heir.inspect()) as object, { revision: 2, drift: [] });
  },
);
