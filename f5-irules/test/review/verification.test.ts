/** A box holds exactly what a policy compiles to, or the verification says where not. */
import t from 'tap';
import { type Icontrol, objectPath } from '../../driver/icontrol/index.ts';
import type { Verification } from '../../driver/review/index.ts';
import { codeOf } from '../fixtures/codes.ts';
import { groupNamed, groupPath, rewrite } from '../fixtures/own-state.ts';
import { largePolicy, smallPolicy } from '../fixtures/policies.ts';
import { type ReviewedBox, startReviewedBox } from './fixtures/review.ts';

const INTERNAL = 'tm/ltm/data-group/internal';
const VS_ORDERS = objectPath('tm/ltm/virtual', '/Common/vs_orders');
const L4 = '/Edgeward/eg_enforce_l4_v1';
const L7 = '/Edgeward/eg_enforce_l7_v1';
const http = [{ path: '/v1/*' }];
const policy = smallPolicy({ revision: 7, allow: ['10.1.0.0/16'], http });

async function enforced(t: Parameters<typeof startReviewedBox>[0], units: 1 | 2 = 1): Promise<ReviewedBox> {
  const box = await startReviewedBox(t, { units });
  await box.point().apply(policy);
  const virtuals = [{ fullPath: '/Common/vs_orders', protocol: 'http' as const }];
  await box.review().changeRules({ virtuals, does: 'attach', dryRun: false, force: false });
  return box;
}

const codes = (found: readonly { code: string }[]): string[] => found.map(({ code }) => code).sort();

/** There is no publisher in these boxes. */
function shown({ differences, hazards }: Verification): { differences: string[]; hazards: string[] } {
  const others = codes(hazards).filter((code) => code !== 'audit-publisher-missing');
  return { differences: codes(differences), hazards: others };
}

interface Tampering {
  name: string;
  tamper(box: Icontrol): Promise<unknown>;
  differences?: string[];
  hazards?: string[];
}

const tamperings: Tampering[] = [
  { name: 'nothing', tamper: async () => {} },
  {
    name: 'a source more',
    tamper: async (box) =>
      rewrite(box, await groupNamed(box, 'eg_s_'), (all) => [
        ...all,
        { name: '203.0.113.9/32', data: 'tcp 443 443 allow r' },
      ]),
    differences: ['group-differs'],
  },
  {
    name: 'a group of another type under its name',
    tamper: async (box) => {
      const name = await groupNamed(box, 'eg_r_');
      await box.remove(groupPath(name));
      await box.create(INTERNAL, { name, partition: 'Edgeward', type: 'ip', records: [] });
    },
    differences: ['group-differs'],
  },
  {
    name: 'a group deleted',
    tamper: async (box) => box.remove(groupPath(await groupNamed(box, 'eg_r_'))),
    differences: ['group-missing'],
  },
  {
    name: 'an object switched off in the map, and its head left as it was',
    tamper: (box) =>
      rewrite(box, 'eg_map', (all) => all.map(({ name, data }) => ({ name, data: data.replace('enforce', 'off') }))),
    differences: ['entry-differs', 'map-changed'],
  },
  {
    name: 'an entry taken out, and one put in',
    tamper: (box) =>
      rewrite(box, 'eg_map', (all) => all.map(({ name, data }) => ({ name: name.replace('orders', 'others'), data }))),
    differences: ['entry-missing', 'entry-unknown', 'map-changed'],
  },
  { name: 'an empty map', tamper: (box) => rewrite(box, 'eg_map', () => []), differences: ['no-policy'] },
  {
    name: 'another text of a rule',
    tamper: (box) => box.modify(objectPath('tm/ltm/rule', L4), { apiAnonymous: 'when CLIENT_ACCEPTED { }' }),
    differences: ['rule-differs'],
  },
  {
    name: 'a rule detached and deleted',
    tamper: async (box) => {
      await box.modify(VS_ORDERS, { rules: [L4] });
      await box.remove(objectPath('tm/ltm/rule', L7));
    },
    // The map says that requests are judged there.
    differences: ['entry-differs', 'requests-not-judged', 'rule-missing'],
  },
  { name: 'rules detached', tamper: (box) => box.modify(VS_ORDERS, { rules: [] }), differences: ['not-attached'] },
  {
    name: 'a rule of somebody else before ours',
    tamper: async (box) => {
      const apiAnonymous = 'when HTTP_REQUEST priority 1 { HTTP::respond 200 content hello }';
      await box.create('tm/ltm/rule', { name: 'first', partition: 'Common', apiAnonymous });
      await box.modify(VS_ORDERS, { rules: ['/Common/first', L4, L7] });
    },
    hazards: ['rule-before-ours'],
  },
  {
    name: 'a meta that nobody saved',
    tamper: (box) => rewrite(box, 'eg_meta', (all) => all.filter(({ name }) => name !== 'revision')),
    hazards: ['not-saved'],
  },
];

for (const { name, tamper, differences = [], hazards = [] } of tamperings) {
  t.test(`${name}: ${[...differences, ...hazards].join(', ') || 'the box holds the policy'}`, async (t) => {
    const box = await enforced(t);
    await tamper(box.admin());
    const found = await box.review().verify(policy);
    t.strictSame(shown(found), { differences: [...differences].sort(), hazards });
    for (const { words, mend, object } of [...found.differences, ...found.hazards]) t.ok(words && mend && object);
  });
}

t.test('content is compared: the revision may be any, another policy may not', async (t) => {
  const box = await enforced(t);
  const same = await box.review().verify({ ...policy, revision: 0 });
  t.match(same, { revision: 7, differences: [], checked: { objects: 1, groups: 2, rules: 2 } });
  const other = await box.review().verify(smallPolicy({ revision: 7, allow: ['10.2.0.0/16'], http }));
  t.strictSame(codes(other.differences), ['entry-differs', 'group-missing', 'other-policy']);
});

t.test('a file is compared by its checksum', async (t) => {
  const box = await startReviewedBox(t);
  const large = largePolicy(1, 50_100);
  await box.point().apply(large);
  t.strictSame(codes((await box.review().verify(large)).differences), ['not-attached']);
});

t.test('a pair whose other unit holds another policy is told', async (t) => {
  const box = await enforced(t, 2);
  t.strictSame(shown(await box.review().verify(policy)), { differences: [], hazards: [] });
  await box.admin().modify(objectPath(INTERNAL, '/Common/customers_group'), { records: [] });
  const waiting = await box.review().verify(policy);
  t.strictSame(shown(waiting), { differences: [], hazards: ['not-synced'] });
  t.match(waiting.hazards, [
    {},
    { words: /^the pair is not in sync \(Changes Pending\)$/, mend: /config-sync to-group/ },
  ]);

  const next = smallPolicy({ revision: 8, allow: ['10.2.0.0/16'], http });
  t.equal(await codeOf(() => box.point().apply(next)), 'EDW_ERR_BIGIP_FOREIGN_CHANGES');
  const apart = await box.review().verify(next);
  t.strictSame(shown(apart), { differences: [], hazards: ['not-synced'] });
  t.match(apart.hazards, [{}, { words: /^the other unit holds another policy/ }]);
});

t.test('an object that binds no virtual server is told, and the others are verified', async (t) => {
  const box = await enforced(t);
  const [object] = policy.objects;
  const bad = { ...policy, objects: [...policy.objects, { ...object, name: 'crm', bind: 'crm' }] } as typeof policy;
  const { differences } = await box.review().verify(bad);
  t.match(differences, [{ object: 'crm', code: 'bind-unusable', words: /"crm"/ }]);
  t.equal(differences.length, 1);
  const { hazards, obstacle } = await box.review().preview(bad);
  t.equal(obstacle, null, 'and no plan is stopped by it');
  t.ok(hazards.some((hazard) => hazard.code === 'bind-unusable' && hazard.object === 'crm'));
});
