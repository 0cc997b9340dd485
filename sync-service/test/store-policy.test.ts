/** A central store's policy as the points get it: verified, compiled here, ended here, and kept through whatever happens. */
import type { PointRules } from '@edgeward/policy';
import { createSignedWorld, seededKey, simpleGroup, sliceDocuments } from '@edgeward/test/kit';
import t from 'tap';
import { storeStage } from './fixtures/store-stage.ts';

const minuteMs = 60_000;
const noon = Date.parse('2026-11-22T12:00:00Z');
const inMinutes = (minutes: number): string => new Date(noon + minutes * minuteMs).toISOString();
const crm = '10.30.1.1';
const branch = '192.0.2.9';
const members = { [simpleGroup()]: [crm, '10.30.1.2'] };

const front = (point: string): object => ({
  kind: 'VirtualServer',
  name: `front-${point}`,
  labels: { app: 'shop' },
  point,
  bind: `front-${point}`,
  ports: ['tcp/443'],
  mode: 'enforce',
});

interface Site {
  points?: string[];
  id?: string;
  until?: string;
  expires?: string;
}

/** `crm` workloads may reach the front of each point, and so may the branches. */
function slices({ points = ['edge-1', 'edge-2'], id = 'crm', until, expires }: Site = {}): PointRules[] {
  const from = [{ workloads: "app == 'crm'", within: ['10.30.0.0/16'], max: 600 }];
  const rule = { id, from, to: "app == 'shop'", ports: ['tcp/443'], ...(until && { until }) };
  const branches = { id: 'branches', from: [{ network: 'branches' }], to: "app == 'shop'", ports: ['tcp/443'] };
  return sliceDocuments([
    ...points.map(front),
    { kind: 'Network', name: 'branches', cidrs: ['192.0.2.0/24'], ...(expires && { expires }) },
    { kind: 'Policy', name: 'shop', rules: [rule, branches] },
  ]);
}

t.test('what was verified is published under the revision of its head, and only when something changed', async (t) => {
  const it = await storeStage(t);
  t.match(it.policy.status(), { state: 'none', revision: 0, errors: [] });
  t.equal(it.policy.explain({ from: crm, to: 'front-edge-1', port: 'tcp/443' }), null);
  await it.world.publish(slices(), { members });
  await it.until('both points have it', () => it.published.length === 2);
  t.match(it.policy.status(), { state: 'current', revision: 1, errors: [], held: null, nextChangeAtMs: null });
  t.equal(it.verdict(crm), 'allow by crm');
  t.equal(it.verdict('10.30.1.3', 'edge-2'), 'unknown-source');
  await it.world.move({ [simpleGroup()]: [crm, '10.30.1.2', '10.30.1.3'] });
  await it.until('the member is in', () => it.verdict('10.30.1.3', 'edge-2') === 'allow by crm');
  await it.until('at both', () => it.published.length === 4);
  t.strictSame(
    it.published.map(({ revision }) => revision),
    [1, 1, 2, 2],
  );
  await it.world.refresh();
  const renewed = it.world.at('edge-1').head.expiresAt;
  await it.until('it is taken over', () => it.policy.followers()[0]?.expiresAt === renewed);
  t.equal(it.published.length, 4, 'a head that was signed anew is nothing to a point');
});

t.test('objects, explanations and names of both ends are those of the rules and of the inventory', async (t) => {
  const it = await storeStage(t);
  await it.world.publish(slices(), { members });
  await it.until('both points have it', () => it.published.length === 2);
  t.strictSame(
    it.policy
      .objects()
      .map(({ name }) => name)
      .sort(),
    ['front-edge-1', 'front-edge-2'],
  );
  t.match(it.policy.explain({ from: crm, to: 'front-edge-2', port: 'tcp/443' }), {
    verdict: 'allow',
    rule: 'crm',
    revision: 1,
  });
  const known = it.policy.identities('edge-1', 1)?.identities;
  t.match(known?.objectAt('edge-1', 'front-edge-1'), { labels: { app: 'shop' } });
  t.strictSame(known?.identify(crm).workloads, [], 'nobody has said who that is');
  it.workloads.set('0a1e0101', [
    {
      kind: 'Workload',
      name: 'crm-1',
      labels: { app: 'crm' },
      addresses: [],
      point: null,
      ports: null,
      mode: 'observe',
    },
  ]);
  t.match(known?.identify(crm), { workloads: ['crm-1'], labels: { app: 'crm' } });
  t.match(known?.identify(branch), { workloads: [], networks: ['branches'] });
  t.equal(it.policy.identities('edge-9'), null);
});

t.test('nothing is held here: the store holds, and the answer says so', async (t) => {
  const it = await storeStage(t);
  await t.rejects(it.policy.accept(1), { code: 'EDW_ERR_NOTHING_HELD' });
});

const ending: {
  name: string;
  version: Parameters<typeof slices>[0];
  glassMs?: number;
  from: string;
  before: string;
}[] = [
  { name: 'a rule with until', version: { until: inMinutes(30) }, from: crm, before: 'allow by crm' },
  { name: 'a network with expires', version: { expires: inMinutes(30) }, from: branch, before: 'allow by branches' },
  {
    name: 'a break-glass version',
    version: { id: 'emergency' },
    glassMs: 30 * minuteMs,
    from: crm,
    before: 'allow by emergency',
  },
];

for (const { name, version, glassMs, from, before } of ending)
  t.test(`${name} ends at its instant, with nobody there to ask`, async (t) => {
    const after = glassMs === undefined ? 'unknown-source' : 'allow by crm';
    const prepare = async () => {
      const it = await storeStage(t);
      await it.world.publish(slices(), { members });
      // Its end is counted from the time of the world.
      if (glassMs !== undefined) it.world.nowMs = noon - 1000;
      const options = glassMs === undefined ? {} : { breakGlassMs: glassMs };
      await it.world.publish(slices(version), { members, ...options });
      await it.until('both points have it', () => it.published.filter(({ revision }) => revision === 2).length === 2);
      it.away = true;
      await it.until('the store is missed', () => it.policy.followers().every(({ lastError }) => lastError !== null));
      t.equal(it.verdict(from), before);
      t.equal(it.policy.status().nextChangeAtMs, noon + 30 * minuteMs);
      return it;
    };
    t.test('in the ordinary course, under the same revision', async (t) => {
      const it = await prepare();
      await it.clock.advance(noon + 30 * minuteMs - 1 - it.clock.now());
      t.equal(it.verdict(from), before, 'not a millisecond earlier');
      const held = it.held();
      await it.clock.advance(1);
      t.equal(it.verdict(from), after);
      t.equal(it.verdict(from, 'edge-2'), after);
      t.equal(it.held()?.revision, held?.revision, 'the store numbers, and it is away');
      t.not(it.held()?.hash, held?.hash);
      t.match(it.policy.status(), { state: 'last-known-good', revision: 2, nextChangeAtMs: null });
    });
    t.test('after the clock was set forward, or the machine slept', async (t) => {
      const it = await prepare();
      it.forwardMs = 40 * minuteMs;
      await it.clock.advance(minuteMs);
      t.equal(it.verdict(from), after);
    });
    t.test('and not before, when the clock is set back', async (t) => {
      const it = await prepare();
      it.forwardMs = -20 * minuteMs;
      await it.clock.advance(35 * minuteMs);
      t.equal(it.verdict(from), before);
      await it.clock.advance(20 * minuteMs);
      t.equal(it.verdict(from), after);
    });
    t.test('after a restart', async (t) => {
      const next = await (await prepare()).restart();
      t.equal(next.verdict(from), before, 'what was last known is there at once');
      await next.clock.advance(30 * minuteMs);
      t.equal(next.verdict(from), after);
    });
    t.test('while the service was down', async (t) => {
      const next = await (await prepare()).restart({ awayMs: 31 * minuteMs });
      t.equal(next.verdict(from), after);
      t.strictSame(
        next.published.map(({ revision }) => revision),
        [2, 2],
      );
      t.match(next.policy.status(), { revision: 2, stateWriteFailures: 0 });
    });
    t.test('also under a head that was signed anew', async (t) => {
      const it = await prepare();
      it.away = false;
      await it.world.refresh();
      const renewed = it.world.at('edge-1').head.expiresAt;
      await it.until('it is taken over', () => it.policy.followers()[0]?.expiresAt === renewed);
      it.away = true;
      await it.clock.advance(30 * minuteMs);
      t.equal(it.verdict(from), after);
    });
  });

t.test('which version a policy is of is known as long as a point may hold it', async (t) => {
  const it = await storeStage(t, { points: ['edge-1'] });
  const given = async (count: number, publish: () => Promise<unknown>) => {
    await publish();
    await it.until(`there are ${count}`, () => it.published.length === count);
  };
  const site = { points: ['edge-1'] };
  await given(1, () => it.world.publish(slices(site), { members }));
  for (let n = 2; n <= 20; n += 1) await given(n, () => it.world.move({ [simpleGroup()]: [crm, `10.30.2.${n}`] }));
  it.world.nowMs = it.clock.now();
  const glass = { members, breakGlassMs: 30 * minuteMs };
  await given(21, () => it.world.publish(slices({ ...site, id: 'emergency' }), glass));
  await it.clock.advance(30 * minuteMs);
  t.strictSame(
    it.published.map((policy) => it.policy.versionOf('edge-1', policy)),
    [...Array<number>(20).fill(1), 2, 1],
    'labels that machines move are no version, and what ends is told from what comes back under its revision',
  );
  const foreign = { revision: 4_711, hash: 'of another hand' };
  t.strictSame([it.policy.versionOf('edge-1', foreign), it.policy.versionOf('edge-9', foreign)], [null, null]);
  const again = await it.restart();
  const held = again.held();
  t.equal(held === undefined ? null : again.policy.versionOf('edge-1', held), 1, 'after a restart');
});

t.test('an end further away than any timer counts is waited for', async (t) => {
  const days = 40;
  const it = await storeStage(t);
  await it.world.publish(slices({ until: inMinutes(days * 24 * 60) }), { members });
  await it.until('both points have it', () => it.published.length === 2);
  // Without the followers' questions in between, of which there would be a million.
  it.forwardMs = days * 24 * 60 * minuteMs - 2 * minuteMs;
  await it.clock.advance(minuteMs / 2);
  t.equal(it.verdict(crm), 'allow by crm');
  await it.clock.advance(3 * minuteMs);
  t.equal(it.verdict(crm), 'unknown-source');
});

t.test('what can not be compiled is refused with its code, and what was in force stays', async (t) => {
  const it = await storeStage(t, { points: ['edge-1'] });
  await it.world.publish(slices(), { members });
  await it.until('the point has it', () => it.published.length === 1);
  await it.world.publish(fragmented(), { members });
  await it.until('it is refused', () => it.policy.followers()[0]?.nack !== null);
  t.match(it.policy.followers()[0], {
    revision: 1,
    nack: { revision: 2, stage: 'compile', code: 'EDW_ERR_TOO_FRAGMENTED' },
  });
  t.match(it.policy.status(), { state: 'last-known-good', revision: 1, errors: [{ code: 'EDW_ERR_TOO_FRAGMENTED' }] });
  t.match(it.policy.status().errors[0], { message: /edge-1: revision 2 was not taken over \(compile\)/, mend: /./ });
  t.equal(it.verdict(crm), 'allow by crm');
  await it.until('the store is told', () => it.reports.at(-1)?.nack?.code === 'EDW_ERR_TOO_FRAGMENTED');
  t.equal(it.reports.at(-1)?.revision, 1);
  await it.world.publish(slices({ id: 'crm-2' }), { members });
  await it.until('the next version is in force', () => it.verdict(crm) === 'allow by crm-2');
  await it.until('all is well', () => it.policy.status().state === 'current');
});

/** More than 65,535 sets of rules: an address for each pair of two of them. */
function fragmented(): PointRules[] {
  const count = 363;
  const networks = Array.from({ length: count }, (_, i) => ({ kind: 'Network', name: `n${i}`, cidrs: [] as string[] }));
  let address = 0;
  for (let i = 0; i < count; i += 1)
    for (let j = i + 1; j < count; j += 1) {
      const cidr = `11.${address >> 16}.${(address >> 8) & 255}.${address & 255}/32`;
      address += 1;
      networks[i]?.cidrs.push(cidr);
      networks[j]?.cidrs.push(cidr);
    }
  const rules = networks.map(({ name }) => ({
    id: name,
    from: [{ network: name }],
    to: "app == 'shop'",
    ports: ['tcp/443'],
  }));
  return sliceDocuments([front('edge-1'), ...networks, { kind: 'Policy', name: 'shop', rules }]);
}

t.test('a head that is not to be believed changes nothing, and is told with its stage', async (t) => {
  const it = await storeStage(t);
  await it.world.publish(slices(), { members });
  await it.until('both points have it', () => it.published.length === 2);
  const stolen = await it.world.forge('edge-1', (head) => ({ ...head, revision: 9 }), await seededKey('nobody'));
  it.instead.set('edge-1', stolen);
  await it.until('it is refused', () => it.policy.followers()[0]?.nack !== null);
  t.match(it.policy.status(), {
    state: 'last-known-good',
    revision: 1,
    errors: [{ code: 'EDW_ERR_HEAD_UNSIGNED', file: 'https://store.test', message: /edge-1: .*\(head\)/ }],
  });
  t.equal(it.policy.status().errors.length, 1, 'the other point is fine');
  t.equal(it.published.length, 2);
  await it.until('the store is told', () => it.reports.some(({ nack }) => nack?.code === 'EDW_ERR_HEAD_UNSIGNED'));
  it.instead.clear();
  await it.world.move({ [simpleGroup()]: [] });
  await it.until('the next good one is taken over', () => it.verdict(crm) === 'unknown-source');
  await it.until('all is well', () => it.policy.status().state === 'current');
});

t.test('a store that is away leaves everything as it is, and is followed again when it is back', async (t) => {
  const it = await storeStage(t);
  await it.world.publish(slices(), { members });
  await it.until('both points have it', () => it.published.length === 2);
  it.away = true;
  await it.until('it is missed', () => it.policy.status().errors.length === 2);
  t.match(it.policy.status(), { state: 'last-known-good', errors: [{ code: 'EDW_ERR_STORE_UNREACHABLE' }, {}] });
  await it.world.move({ [simpleGroup()]: ['10.30.1.2'] });
  await it.clock.advance(25 * 60 * minuteMs);
  t.equal(it.verdict(crm), 'allow by crm', 'also when the head has expired');
  t.ok(it.policy.followers().every(({ stale }) => stale));
  it.away = false;
  await it.until('what it missed is in force', () => it.verdict(crm) === 'unknown-source');
});

t.test('a head that has expired is told as such, and nothing else happens', async (t) => {
  const it = await storeStage(t);
  await it.world.publish(slices(), { members });
  await it.until('both points have it', () => it.published.length === 2);
  await it.clock.advance(25 * 60 * minuteMs);
  t.match(it.policy.status(), { state: 'last-known-good', errors: [] });
  t.equal(it.published.length, 2);
});

t.test('a restart without the store goes on with what was last known', async (t) => {
  const it = await storeStage(t);
  await it.world.publish(slices(), { members });
  await it.until('both points have it', () => it.published.length === 2);
  await it.until('and it is kept', () => it.policy.followers().every(({ kept }) => kept));
  it.away = true;
  const next = await it.restart();
  t.equal(next.verdict(crm), 'allow by crm');
  t.match(next.policy.status(), { state: 'last-known-good', errors: [] }, 'before anybody was asked');
  for (const point of ['edge-1', 'edge-2']) t.strictSame(next.held(point), it.held(point));
  await next.until('the loss is noticed', () => next.policy.status().errors.length > 0);
  next.away = false;
  await next.world.move({ [simpleGroup()]: [] });
  await next.until('what it missed is in force', () => next.verdict(crm) === 'unknown-source');
});

t.test('a first start without the store has nothing, says so, and begins when it can', async (t) => {
  const world = await createSignedWorld();
  await world.publish(slices(), { members });
  const it = await storeStage(t, { world, away: true });
  await it.until('it is missed', () => it.policy.status().errors.length === 2);
  t.match(it.policy.status(), { state: 'none', revision: 0, changedAtMs: null });
  t.strictSame(it.published, []);
  it.away = false;
  await it.until('both points have it', () => it.published.length === 2);
});

t.test('points go their own way: two of them stand at two versions', async (t) => {
  const it = await storeStage(t);
  await it.world.publish(slices(), { members });
  await it.world.publish(slices({ id: 'crm-2' }), { members, returnMs: 60 * minuteMs });
  await it.until('both have the newer', () => it.policy.followers().every(({ version }) => version === 2));
  await it.world.returnPoints(['edge-2']);
  await it.until('edge-2 is back', () => it.policy.followers()[1]?.version === 1);
  t.strictSame([it.verdict(crm), it.verdict(crm, 'edge-2')], ['allow by crm-2', 'allow by crm']);
  t.strictSame([it.held('edge-1')?.revision, it.held('edge-2')?.revision], [2, 3]);
  t.match(it.policy.status(), { state: 'current', revision: 3 });
  for (const [to, rule] of [
    ['front-edge-1', 'crm-2'],
    ['front-edge-2', 'crm'],
  ] as const)
    t.match(it.policy.explain({ from: crm, to, port: 'tcp/443' }), { rule });
});

t.test('a point that the store has nothing for keeps the others from nothing', async (t) => {
  const it = await storeStage(t, { points: ['edge-1', 'edge-2'] });
  await it.world.publish(slices({ points: ['edge-1'] }), { members });
  await it.until('edge-1 has it', () => it.published.length === 1);
  await it.until('edge-2 is told', () => it.policy.status().errors.length === 1);
  t.match(it.policy.status(), { state: 'last-known-good', revision: 1, errors: [{ message: /edge-2/ }] });
});

t.test(
  'a point with a newer revision than the store gives it is told to the store, which numbers above it',
  async (t) => {
    const it = await storeStage(t, { points: ['edge-1'] });
    it.observed.set('edge-1', { applied: 41, state: 'behind' });
    await it.policy.foundRevision('edge-1', 41);
    await it.world.publish(slices({ points: ['edge-1'] }), { members });
    await it.until('the store is told', () => it.reports.at(-1)?.applied === 41);
    await it.until('its number is here', () => it.published.length === 1);
    t.match(it.policy.status(), {
      state: 'last-known-good',
      errors: [{ code: 'EDW_ERR_REVISION_OLDER', message: /edge-1: it holds revision 41/ }],
    });
    // What is on its way to the store arrives.
    await it.clock.advance(5_000);
    const before = it.reports.length;
    await it.policy.foundRevision('edge-1', 41);
    await it.policy.foundRevision('edge-1', 7);
    await it.policy.foundRevision('edge-9', 50);
    await it.clock.advance(5_000);
    t.equal(it.reports.length, before, 'the same again, an older one and a stranger are no news');
    it.world.revision = 41;
    await it.world.move({ [simpleGroup()]: [crm] });
    await it.until('it is numbered above', () => it.held()?.revision === 42);
    await it.until('all is well', () => it.policy.status().state === 'current');
  },
);

t.test('what a point says of itself is told soon after it changed', async (t) => {
  const it = await storeStage(t, { points: ['edge-1'] });
  await it.world.publish(slices({ points: ['edge-1'] }), { members });
  await it.until('the point has it', () => it.policy.followers()[0]?.kept === true);
  await it.clock.advance(5_000);
  it.observed.set('edge-1', { applied: 1, state: 'current', denials: { total: 7, sinceMs: noon } });
  it.policy.pointChanged('edge-1');
  it.policy.pointChanged('edge-9');
  await it.clock.advance(2_000);
  t.match(it.reports.at(-1), { applied: 1, state: 'current', revision: 1, denials: { total: 7 }, service: 'stage' });
});

t.test('closing leaves no timer and no lock, also in the middle of things', async (t) => {
  for (const moments of [0, 1, 3, 6, 10, 15]) {
    const it = await storeStage(t);
    await it.world.publish(slices({ until: inMinutes(30) }), { members });
    for (let n = 0; n < moments; n += 1) await it.clock.advance(200);
    await it.close();
    t.equal(it.timers(), 0, `after ${moments} moments`);
    const next = await it.restart();
    await next.until('the next life goes on', () => next.verdict(crm) === 'allow by crm');
    await next.close();
    t.equal(next.timers(), 0);
  }
});
