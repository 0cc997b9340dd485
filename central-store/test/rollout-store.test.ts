/** A store and points that follow it over TLS: what a wave meets, and where everybody ends. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { PointState } from '@edgeward/policy-format';
import t from 'tap';
import { openFleet, returnable, THREE, tiers } from './rollout-points.ts';
import { until } from './serving-kit.ts';

// Most of the time is waiting for waves.
t.jobs = 4;

const isVersion = (version: number) => (state: PointState) => state.approval.approval.version === version;

t.test('a version goes to its canary first, and then to all', async (t) => {
  const fleet = await openFleet(t, { settleSeconds: 60 });
  const [canary, other, last] = fleet.points;
  await fleet.served.decide(tiers(THREE, { rule: 'crm-2' }), returnable());
  await until('the canary has it', () => canary.versions.at(-1) === 2);
  t.strictSame([other.versions, last.versions], [[1], [1]], 'the others wait');
  t.match(fleet.rollout(), {
    ...{ state: 'rolling', version: 2, wave: 1, atOnce: null, wayBack: { state: 'open' } },
    waves: [
      { title: "tier == 'canary'", points: 1 },
      { title: 'all', points: 2, counts: { waiting: 2 } },
    ],
  });
  fleet.settings.settleSeconds = 0;
  const done = await fleet.reaches('done');
  t.match(done.waves[1], { counts: { settled: 2, waiting: 0 } });
  for (const { versions } of fleet.points) t.strictSame(versions, [1, 2]);
  t.strictSame(await fleet.record(), [
    ...['start version/1', 'wave version/1', 'done version/1'].map((it) => `store rollout.${it} allowed`),
    ...['start version/2', 'wave version/2', 'wave version/2', 'done version/2'].map(
      (it) => `store rollout.${it} allowed`,
    ),
  ]);
});

t.test('a canary that refuses a version brings everybody back, and nobody else ever had it', async (t) => {
  const fleet = await openFleet(t);
  const [canary, other, last] = fleet.points;
  canary.refuses = isVersion(2);
  const before = fleet.served.store.publishing.point('edge-1')?.head;
  await fleet.served.decide(tiers(THREE, { rule: 'crm-2' }), returnable());
  const returned = await fleet.reaches('returned');
  t.match(returned, {
    trouble: [{ point: 'edge-1', kind: 'nack', message: /compile: EDW_ERR_TOO_FRAGMENTED$/ }],
    stopped: { by: 'store', why: /^edge-1: it refused revision/ },
    stayed: [],
  });
  const published = () => fleet.served.store.publishing.point('edge-1');
  await until('the version before is published', () => published()?.state?.version === 1);
  const after = published();
  t.ok((after?.cursor.revision ?? 0) > (before?.revision ?? 0), 'a new revision');
  t.strictSame(after?.head.rules, before?.rules, 'of the old content');
  await until('it is followed again', () => canary.follower.status().nack === null);
  t.strictSame([canary.versions, other.versions, last.versions], [[1], [1], [1]]);
  t.strictSame((await fleet.record()).slice(-3), [
    'store rollout.wave version/2 allowed',
    'store rollout.halt version/2 allowed',
    'store rollout.return version/2 allowed',
  ]);
});

t.test('denials that jump up bring a version back from points that had applied it', async (t) => {
  const fleet = await openFleet(t, { settleSeconds: 60 });
  const [canary, other] = fleet.points;
  await fleet.served.decide(tiers(THREE, { rule: 'crm-2' }), returnable());
  await until('the canary has it', () => canary.versions.at(-1) === 2);
  await until('the store knows', () => fleet.rollout().waves[0]?.counts.settling === 1);
  canary.denied += 15;
  await until('the store knows them', () => fleet.served.store.reports.of('edge-1')[0]?.report.denials.total === 15);
  t.equal(fleet.rollout().state, 'rolling');
  canary.denied += 50;
  t.match(await fleet.reaches('returned'), { trouble: [{ point: 'edge-1', kind: 'denials' }] });
  await until('it has the version before', () => canary.versions.at(-1) === 1);
  t.equal(canary.ruleId(), 'crm-1');
  t.strictSame(other.versions, [1]);
});

t.test('a first enforcement that nobody confirms is taken back from everybody', async (t) => {
  const fleet = await openFleet(t, { confirmMinutes: 1 / 60, onHalt: 'hold' }, tiers(THREE, { mode: 'observe' }));
  await fleet.served.decide(tiers(THREE), returnable());
  await until('everybody enforces', () => fleet.points.every(({ versions }) => versions.includes(2)));
  const returned = await fleet.reaches('returned');
  t.match(returned, { stopped: { why: /nobody confirmed that front-edge-1, front-edge-2/ }, confirm: { by: null } });
  await until('everybody is back', () => fleet.points.every(({ versions }) => versions.at(-1) === 1));
});

t.test('a first enforcement that a person confirms stays', async (t) => {
  const fleet = await openFleet(t, {}, tiers(THREE, { mode: 'observe' }));
  const { served } = fleet;
  await served.decide(tiers(THREE), returnable());
  const waiting = await fleet.reaches('confirming');
  t.match(waiting.confirm, { objects: ['front-edge-1', 'front-edge-2', 'front-edge-3'], until: /T/, by: null });
  const confirm = (name: 'flo' | 'ada' | 'eve', body: object) => served.as(name, '/v1/rollout/confirm', { body });
  t.equal((await confirm('ada', { reason: 'fine' })).status, 403, 'an author decides on no roll-out');
  t.match((await confirm('eve', { reason: 'fine', version: 1 })).json(), { error: { code: 'EDW_ERR_ROLLOUT_STATE' } });
  t.equal((await confirm('eve', { reason: ' ' })).status, 400);
  t.match((await confirm('eve', { reason: 'fine', dryRun: true })).json(), { confirm: { by: 'eve' } });
  t.equal(fleet.rollout().confirm?.by, null, 'a dry run confirms nothing');
  const confirmed = await confirm('eve', { reason: 'looked at the denials', version: 2 });
  t.match([confirmed.status, confirmed.json()], [200, { version: 2, confirm: { by: 'eve' } }]);
  await fleet.reaches('done');
  t.equal((await confirm('eve', { reason: 'again' })).status, 409);
  for (const { versions } of fleet.points) t.strictSame(versions, [1, 2]);
  const entries = await fleet.record();
  t.ok(entries.includes('ada rollout.confirm POST /v1/rollout/confirm refused'));
  t.ok(entries.includes('eve rollout.confirm version/2 refused'));
  t.ok(entries.includes('eve rollout.confirm version/2 dry-run'));
  t.ok(entries.includes('eve rollout.confirm version/2 allowed'));
});

t.test('people halt, resume and return over the network', async (t) => {
  const fleet = await openFleet(t, { settleSeconds: 60 });
  const { served, points } = fleet;
  const [canary, other] = points;
  const post = async (action: string, body: object) => {
    const { status, json } = await served.as('cleo', `/v1/rollout/${action}`, { body: { reason: 'CHG-7', ...body } });
    return { status, body: json() as { state?: string; error?: { code: string } } };
  };
  t.match(await post('halt', {}), { status: 409, body: { error: { code: 'EDW_ERR_ROLLOUT_STATE' } } });
  await served.decide(tiers(THREE, { rule: 'crm-2' }), returnable());
  await until('the canary has it', () => canary.versions.at(-1) === 2);
  t.match(await post('halt', { version: 2 }), { status: 200, body: { state: 'halted' } });
  t.match(fleet.rollout().stopped, { by: 'cleo', why: 'CHG-7' });
  t.equal(canary.versions.at(-1), 2, 'a halt takes nothing back');
  t.match(await post('resume', {}), { status: 200, body: { state: 'rolling' } });
  t.match(await post('return', {}), { status: 200, body: { state: 'returned' } });
  await until('it has the version before', () => canary.versions.at(-1) === 1);
  t.match(await post('resume', {}), { status: 200, body: { state: 'rolling' } });
  await until('the canary has it again', () => canary.versions.at(-1) === 2);
  t.strictSame([canary.versions, other.versions], [[1, 2, 1, 2], [1]]);
});

t.test(
  'without a way back a halted roll-out stays where it is; a restore of what was goes to all at once',
  async (t) => {
    const fleet = await openFleet(t, { settleSeconds: 60 });
    const { served, points } = fleet;
    const [canary, other] = points;
    canary.refuses = isVersion(2);
    await served.decide(tiers(THREE, { rule: 'crm-2' }));
    t.match(await fleet.reaches('halted'), {
      stopped: { why: /points stay, because it was approved without a way back$/ },
      wayBack: { state: 'closed' },
    });
    const refused = await served.as('eve', '/v1/rollout/return', { body: { reason: 'CHG-7' } });
    t.match(refused.json(), { error: { code: 'EDW_ERR_ROLLOUT_NO_WAY_BACK' } });
    t.equal(await served.decide(tiers(THREE), { restored: true }), 3);
    await until('everybody has it', () => points.every(({ versions }) => versions.at(-1) === 3));
    t.match(fleet.rollout(), { version: 3, atOnce: 'restore', waves: [{ title: 'all', points: 3 }] });
    t.strictSame(
      [canary.versions, other.versions],
      [
        [1, 3],
        [1, 3],
      ],
    );
  },
);

t.test('what is published next takes the place of what is under way', async (t) => {
  const fleet = await openFleet(t, { settleSeconds: 60 });
  const { served, points } = fleet;
  const [canary, other] = points;
  await served.decide(tiers(THREE, { rule: 'crm-2' }), returnable());
  await until('the canary has it', () => canary.versions.at(-1) === 2);
  await served.decide(tiers(THREE, { rule: 'crm-3' }), returnable());
  await until('the canary has the next one', () => canary.versions.at(-1) === 3);
  t.match(fleet.rollout(), { version: 3, state: 'rolling', wave: 1 });
  fleet.settings.settleSeconds = 0;
  t.equal((await fleet.reaches('done')).version, 3);
  t.strictSame(
    [canary.versions, other.versions],
    [
      [1, 2, 3],
      [1, 3],
    ],
  );
});

t.test('what can not be written down reaches nobody, and everybody soon after it can', async (t) => {
  const fleet = await openFleet(t);
  const file = join(fleet.served.dir, 'rollout.json');
  await rm(file);
  await mkdir(file);
  await fleet.served.decide(tiers(THREE, { rule: 'crm-2' }), returnable());
  const tried = async (): Promise<boolean> => (await fleet.record()).at(-1) === 'store rollout.start version/2 failed';
  await until('it was tried', tried);
  t.equal(fleet.rollout().version, 1);
  await rm(file, { recursive: true });
  await until('everybody has it', () => fleet.points.every(({ versions }) => versions.at(-1) === 2));
  t.strictSame(await fleet.reaches('done').then(({ version }) => version), 2);
});

t.test('a break-glass version goes to all at once, and a restarted store knows where everybody was', async (t) => {
  const fleet = await openFleet(t, { settleSeconds: 60 });
  const { served, points } = fleet;
  const [canary, other] = points;
  await served.decide(tiers(THREE, { rule: 'crm-2' }), returnable());
  await until('the canary has it', () => canary.versions.at(-1) === 2);
  await served.stop();
  await served.start();
  t.match(fleet.rollout(), { version: 2, state: 'rolling', wave: 1 });
  t.strictSame(other.versions, [1]);
  fleet.settings.settleSeconds = 0;
  await fleet.reaches('done');
  await until('all have it', () => points.every(({ versions }) => versions.at(-1) === 2));
  const endsAtMs = Date.now() + 3_600_000;
  await served.decide(tiers(THREE, { rule: 'crm-3' }), { breakGlass: { endsAtMs } });
  await until('all have the emergency', () => points.every(({ versions }) => versions.at(-1) === 3));
  t.match(fleet.rollout(), { version: 3, atOnce: 'break-glass', wayBack: { state: 'closed' } });
  t.strictSame(canary.versions, [1, 2, 3]);
});

t.test('the status and the metrics tell how far it is', async (t) => {
  const fleet = await openFleet(t, { settleSeconds: 60 });
  const [canary] = fleet.points;
  await fleet.served.decide(tiers(THREE, { rule: 'crm-2' }), returnable());
  await until('the canary has it', () => canary.versions.at(-1) === 2);
  await until('the store knows', () => fleet.rollout().waves[0]?.counts.settling === 1);
  t.match((await fleet.served.as('flo', '/v1/status')).json(), { rollout: { version: 2, state: 'rolling', wave: 1 } });
  const text = await (await fetch(`${fleet.served.store.metricsUrl}/metrics`)).text();
  for (const line of [
    'edgeward_store_rollout_state{state="rolling"} 1',
    'edgeward_store_rollout_state{state="halted"} 0',
    'edgeward_store_rollout_version 2',
    'edgeward_store_rollout_points{wave="1",state="settling"} 1',
    'edgeward_store_rollout_points{wave="2",state="waiting"} 2',
  ])
    t.ok(text.includes(`${line}\n`), line);
});
