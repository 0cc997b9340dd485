/**
 * What docs/security.md says is *not* defended, shown to be so. Whoever makes one of these better breaks a test here, and
 * then changes that page.
 */
import { isStale, signHead } from '@edgeward/policy-format';
import t, { type Test } from 'tap';
import { createSignedWorld, simpleGroup, simpleSlices, sliceDocuments } from '../kit/signed-world.ts';
import { type Edition, editionRules, HOUR_MS, START_MS } from './estate.ts';
import { openVictim, type Victim } from './victim.ts';

type World = Awaited<ReturnType<typeof createSignedWorld>>;

async function opened(t: Test): Promise<{ world: World; victim: Victim }> {
  const world = await createSignedWorld({ nowMs: START_MS });
  const offered = { blob: world.blob, root: world.rootDocument };
  const victim = await openVictim('edge-1', world.pinned, offered, world.nowMs);
  t.teardown(() => victim.close());
  return { world, victim };
}

const shop = (from: string) => ({ from, to: 'shop-0', port: 'tcp/443', method: 'GET', path: '/' });
const db = (from: string) => ({ from, to: 'db-0', port: 'tcp/5432', method: 'GET', path: '/' });
const edition = (rules: number): Edition => ({ rules, fence: 0, mode: 'enforce', lax: 3 });
const [CRM, QUARANTINE, GRANT] = [1, 8, 16];

t.test('a group that denies is only as good as the store’s key: whoever has it leaves it empty', async (t) => {
  const { world, victim } = await opened(t);
  const rules = editionRules(edition(CRM | QUARANTINE));
  const groups = rules[0]?.groups.filter(({ kind }) => kind === 'workloads') ?? [];
  const all = Object.fromEntries(groups.map(({ id }) => [id, ['10.30.0.9']]));
  await world.publish(rules, { members: all });
  t.equal(await victim.head(world.head('edge-1')), null);
  t.notOk(victim.judge()(shop('10.30.0.9')), 'a member of both');
  const quarantined = groups.find((it) => it.kind === 'workloads' && it.selector.includes('quarantined'))?.id ?? '';
  await world.move({ ...all, [quarantined]: [] });
  t.equal(await victim.head(world.head('edge-1')), null);
  t.ok(victim.judge()(shop('10.30.0.9')));
});

t.test('a group without a fence is whoever the store’s key says', async (t) => {
  const { world, victim } = await opened(t);
  const slices = sliceDocuments([
    {
      ...{ kind: 'VirtualServer', name: 'shop-0', labels: { app: 'shop' }, point: 'edge-1', bind: 'shop-0' },
      ...{ ports: ['tcp/443'], mode: 'enforce' },
    },
    { kind: 'Policy', name: 'p', rules: [{ id: 'r', from: [{ workloads: "app == 'crm'" }], to: 'all()' }] },
  ]);
  await world.publish(slices, { members: { [slices[0]?.groups[0]?.id ?? '']: ['8.8.8.8'] } });
  t.equal(await victim.head(world.head('edge-1')), null);
  t.ok(victim.judge()(shop('8.8.8.8')));
});

t.test(
  'a point can be kept from what is newer; it says so when its head ends, unless the store’s key is stolen too',
  async (t) => {
    const { world, victim } = await opened(t);
    await world.publish(simpleSlices(), { members: { [simpleGroup()]: ['10.30.0.1'] } });
    t.equal(await victim.head(world.head('edge-1')), null);
    const { head } = world.at('edge-1');
    await world.publish(simpleSlices(undefined, { id: 'closed' }), { members: {} });
    victim.nowMs = Date.parse(head.expiresAt) + 1;
    t.ok(victim.judge()({ ...shop('10.30.0.1'), to: 'front-edge-1' }), 'an end of a head opens and closes nothing');
    t.ok(isStale(victim.held().state?.head ?? head, victim.nowMs), 'and is told');
    const at = (ms: number): string => new Date(victim.nowMs + ms).toISOString();
    const anew = await signHead({ ...head, issuedAt: at(0), expiresAt: at(HOUR_MS) }, world.keys.store);
    t.equal(await victim.head(anew), null);
    t.notOk(isStale(victim.held().state?.head ?? head, victim.nowMs), 'the old state, signed anew');
  },
);

t.test('a version that people signed and did not want any more is good until another has its number', async (t) => {
  const { world, victim } = await opened(t);
  await world.publish(simpleSlices());
  t.equal(await victim.head(world.head('edge-1')), null);
  const withdrawn = await world.publish(editionRules(edition(CRM)));
  victim.nowMs += 48 * HOUR_MS;
  t.ok(victim.nowMs > Date.parse(withdrawn.approval.expiresAt), 'its time to be published is over');
  t.equal(await victim.head(world.head('edge-1')), null);
});

t.test('a point that has no floor takes any version that people ever signed', async (t) => {
  const { world, victim } = await opened(t);
  await world.publish(editionRules(edition(GRANT)));
  const old = world.head('edge-1');
  await world.publish(editionRules(edition(CRM)));
  t.equal(await victim.head(old), null, 'a new machine, or one that lost its folder');
  t.equal(await victim.head(world.head('edge-1')), null);
  t.equal(await victim.head(old), 'EDW_ERR_HEAD_ROLLBACK', 'and no older one from then on');
});

t.test('whoever sets back the clock of the last hop brings back what had ended', async (t) => {
  const { world, victim } = await opened(t);
  await world.publish(editionRules(edition(GRANT)));
  t.equal(await victim.head(world.head('edge-1')), null);
  t.ok(victim.judge()(db('203.0.113.5')));
  victim.nowMs = START_MS + 3 * HOUR_MS;
  t.notOk(victim.judge()(db('203.0.113.5')));
  victim.nowMs = START_MS;
  t.ok(victim.judge()(db('203.0.113.5')));
});
