/** A preview says what an apply then does, call by call, and leaves no trace. */
import type { CompiledPolicy } from '@edgeward/policy';
import { EdgewardError } from '@edgeward/runtime';
import t from 'tap';
import { objectPath } from '../../driver/icontrol/index.ts';
import { changesNothing, type Preview } from '../../driver/review/index.ts';
import { groupNames, readForeign, readOwnState } from '../fixtures/own-state.ts';
import { largePolicy, smallPolicy } from '../fixtures/policies.ts';
import { isWrite, itemOf, type ReviewedBox, startReviewedBox } from './fixtures/review.ts';

const INTERNAL = 'tm/ltm/data-group/internal';
const http = [{ methods: ['GET'], path: '/v1/orders/*' }];
const first = smallPolicy({ revision: 1, allow: ['10.1.0.0/16', '10.3.0.0/16'], http });
const second = smallPolicy({ revision: 2, allow: ['10.1.0.0/17', '10.2.0.0/16'], http });

interface Scenario {
  name: string;
  units?: 1 | 2;
  version?: '13.1.3' | '17.1.2';
  prepare?(box: ReviewedBox): Promise<unknown>;
  policy: CompiledPolicy;
  /** What the apply ends with. */
  obstacle?: string;
  config?: string;
}

async function damage(box: ReviewedBox): Promise<void> {
  await box.point().apply(first);
  const name = itemOf(
    (await box.admin().list(INTERNAL)).map((it) => String(it.name)).filter((it) => it.startsWith('eg_s_')),
    0,
  );
  await box
    .admin()
    .modify(objectPath(INTERNAL, `/Edgeward/${name}`), { records: [{ name: '10.9.0.0/16', data: 'x' }] });
  const rule = objectPath('tm/ltm/rule', '/Edgeward/eg_enforce_l4_v1');
  await box.admin().modify(rule, { apiAnonymous: 'when CLIENT_ACCEPTED { }' });
}

async function waitingOthers(box: ReviewedBox): Promise<void> {
  const group = objectPath(INTERNAL, '/Common/customers_group');
  await box.admin().modify(group, { records: [{ name: '10.9.0.0/16', data: 'theirs' }] });
}

const scenarios: Scenario[] = [
  { name: 'an empty box', policy: first },
  { name: 'an empty box of TMOS 13.1', version: '13.1.3', policy: first },
  { name: 'another policy', prepare: (box) => box.point().apply(first), policy: second },
  { name: 'the same policy', prepare: (box) => box.point().apply(first), policy: first },
  { name: 'a group and a rule to mend', prepare: damage, policy: first },
  { name: 'a group that is a file', policy: largePolicy(1, 50_100) },
  { name: 'a pair', units: 2, policy: first },
  { name: 'a pair with another policy', units: 2, prepare: (box) => box.point().apply(first), policy: second },
  {
    name: 'a pair in which changes of others wait',
    units: 2,
    prepare: async (box) => {
      await box.point().apply(first);
      await waitingOthers(box);
    },
    policy: second,
    obstacle: 'EDW_ERR_BIGIP_FOREIGN_CHANGES',
  },
  { name: 'a box without the partition', config: '', policy: first, obstacle: 'EDW_ERR_BIGIP_PARTITION' },
];

for (const { name, units = 1, version = '17.1.2', prepare, policy, obstacle = null, config } of scenarios) {
  t.test(`${name}: the calls that are planned are those that are made`, async (t) => {
    const box = await startReviewedBox(t, { units, version, ...(config !== undefined && { config }) });
    await prepare?.(box);
    const preview = await box.review().preview(policy);
    box.calls();
    const code = await box
      .point()
      .apply({ ...policy, revision: preview.revision.to })
      .then(
        () => null,
        (thrown: unknown) => (thrown instanceof EdgewardError ? thrown.code : thrown),
      );
    t.strictSame(preview.calls, box.calls().filter(isWrite));
    t.strictSame([preview.obstacle?.code ?? null, code], [obstacle, obstacle]);
    t.equal(changesNothing(preview), preview.calls.length === 0 && obstacle === null);
  });
}

for (const units of [1, 2] as const) {
  t.test(`${units === 1 ? 'a box' : 'a pair'} that is looked at gets GETs only and stays as it is`, async (t) => {
    const box = await startReviewedBox(t, { units });
    await box.point().apply(first);
    const all = async (): Promise<unknown> => ({
      texts: box.simulator.units.map((unit) => unit.configText()),
      own: await readOwnState(box.admin()),
      foreign: await readForeign(box.admin()),
      sync: await box.admin().get('tm/cm/sync-status'),
      log: box.simulator.units.map((unit) => unit.log()),
    });
    const before = await all();
    box.calls();
    const review = box.review();
    await review.preview(second);
    await review.verify(second);
    await review.discover(new Set());
    const virtuals = [{ fullPath: '/Common/vs_orders', protocol: 'http' as const }];
    await review.changeRules({ virtuals, does: 'attach', dryRun: true, force: false });
    const calls = box.calls();
    t.ok(calls.length > 10);
    t.strictSame(calls.filter(isWrite), []);
    t.strictSame(await all(), before);
  });
}

function flowsOf({ objects }: Preview, index = 0) {
  const { flows } = itemOf(objects, index);
  const short = (changes: { sources: string[]; ports: string[] }[] | undefined): string[] =>
    (changes ?? []).map(({ sources, ports }) => `${sources.join(' ')} ${ports.join(' ')}`);
  return { gained: short(flows?.gained), lost: short(flows?.lost) };
}

t.test('a virtual server gains and loses sources, and one that is gone loses all', async (t) => {
  const box = await startReviewedBox(t);
  await box.point().apply(first);
  const changed = await box.review().preview(second);
  t.strictSame(flowsOf(changed), {
    gained: ['10.2.0.0/16 tcp/443'],
    lost: ['10.1.128.0/17 10.3.0.0/16 tcp/443'],
  });
  t.match(changed, { revision: { from: 1, to: 2 }, objects: [{ change: 'changed', object: 'front-0' }] });

  const same = await box.review().preview(first);
  t.match(same, { revision: { from: 1, to: 1 }, objects: [{ change: 'same' }], groups: [], calls: [] });

  const moved = await box
    .review()
    .preview(smallPolicy({ revision: 1, allow: ['10.1.0.0/16'], binds: ['/Common/vs_crm'] }));
  t.match(moved.objects, [
    { bind: '/Common/vs_crm', change: 'new', before: null },
    { bind: '/Common/vs_orders', change: 'gone', after: null, object: null },
  ]);
  t.strictSame(flowsOf(moved, 0).lost, []);
  t.strictSame(flowsOf(moved, 1).gained, []);
});

t.test('a group that somebody changed is compared by what it holds', async (t) => {
  const box = await startReviewedBox(t);
  await damage(box);
  const preview = await box.review().preview(first);
  t.match(preview.groups, [{ does: 'mend' }]);
  t.strictSame(flowsOf(preview).gained, ['10.1.0.0/16 10.3.0.0/16 198.51.100.1/32 tcp/443']);
});

t.test('a file can not be read back: it is compared by name, with what is known', async (t) => {
  const box = await startReviewedBox(t);
  const large = largePolicy(1, 50_100);
  await box.point().apply(large);
  t.match((await box.review().preview(large)).objects, [{ change: 'same', unread: null }]);
  const [object] = (await box.review().preview(first)).objects;
  t.match(object, { change: 'changed', flows: null, unread: { before: /^eg_s_/, after: { records: 3 } } });
  const [back] = (await box.review().preview(largePolicy(2, 50_101))).objects;
  t.match(back, { unread: { after: { records: 50_102 } } });
});

t.test('groups that no recent revision uses are named', async (t) => {
  const box = await startReviewedBox(t);
  // Never collected by these applies.
  for (const revision of [1, 2, 3, 4])
    await box.point({ collectAfterMs: 1e9 }).apply(smallPolicy({ revision, allow: [`10.${revision}.0.0/16`] }));
  const before = await groupNames(box.admin());
  const { collectable } = await box.review().preview(smallPolicy({ revision: 5, allow: ['10.5.0.0/16'] }));
  t.equal(collectable.length, 2);
  t.strictSame(
    collectable.filter((name) => !before.includes(name)),
    [],
  );
});
