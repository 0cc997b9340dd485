/** What was resolved from a rules document can be asked like any other resolution, but knows addresses and no names. */
import assert from 'node:assert/strict';
import {
  compilePoint,
  explain,
  formatAddress,
  identitiesOf,
  linkModel,
  lostFlows,
  type PointRules,
  parseAddress,
  resolveSlice,
  type SliceResolution,
  slicePolicy,
  viewOf,
} from '@edgeward/policy';
import fc from 'fast-check';
import t from 'tap';
import { network, policy, rule, server } from './cases/case.ts';
import { asSource, digest } from './compiled.ts';
import { arbitraryAddress } from './generators/addresses.ts';
import { search } from './runs.ts';

const UNTIL = '2026-12-24T18:00:00Z';
const documents = [
  server(),
  network({ expires: UNTIL }),
  policy(
    rule({ id: 'crm', from: [{ workloads: "app == 'crm'" }] }),
    rule({ id: 'branches', from: [{ network: 'branches' }], until: UNTIL }),
  ),
];
const slices = slicePolicy(linkModel(documents.map(asSource), []), digest);
const resolved = (members: string[], nowMs = 0, before?: SliceResolution): SliceResolution =>
  resolveSlice(slices, () => members, nowMs, before);
const compiled = (resolution: SliceResolution) => compilePoint(resolution, 'edge-1', { revision: 1, digest });

t.test('a verdict is explained as far as rules and members go', async (t) => {
  const explained = (from: string, nowMs = 0): object => {
    const resolution = resolved(['10.0.0.1'], nowMs);
    return explain(identitiesOf(resolution), viewOf(compiled(resolution)), { from, to: 'front', port: 'tcp/443' });
  };
  t.match(explained('10.0.0.1'), { verdict: 'allow', rule: 'crm', objectLabels: { app: 'shop' } });
  t.match(explained('10.0.0.2'), { verdict: 'deny', source: { workloads: [] }, missed: /none of/ });
  t.match(explained('192.0.2.1'), { verdict: 'allow', rule: 'branches', source: { networks: ['branches'] } });
  const later = explained('192.0.2.1', Date.parse(UNTIL));
  t.match(later, { verdict: 'deny', nearestRule: 'branches', missed: /time: the rule ended/ });
});

t.test('what a change takes away is counted by addresses', async (t) => {
  const ten = Array.from({ length: 10 }, (_, n) => `10.0.0.${n}`);
  const lost = (members: string[], changed: (address: string) => boolean): unknown => {
    const before = resolved(ten, Date.parse(UNTIL));
    const after = resolved(members, Date.parse(UNTIL), before);
    return lostFlows(before, compiled(before).objects, compiled(after).objects, changed).map((it) => it.lostShare);
  };
  const nobody = (): boolean => false;
  t.strictSame(lost(ten, nobody), []);
  t.strictSame(lost(ten.slice(5), nobody), [0.5]);
  t.strictSame(
    lost(ten.slice(1), (address) => address === '10.0.0.0'),
    [],
    'a single one may go',
  );
  t.strictSame(
    lost(ten.slice(2), (address) => address < '10.0.0.2'),
    [0.2],
  );
});

t.test('members may come in any order; the same members are the same group', async (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.uniqueArray(arbitraryAddress, { maxLength: 30 }), { minLength: 2, maxLength: 6 }),
      fc.infiniteStream(fc.boolean()),
      (lists, sorted) => {
        let before: SliceResolution | undefined;
        for (const list of lists) {
          const members = [...new Set(list.map((it) => formatAddress(parseAddress(it) as string)))];
          if (sorted.next().value === true) members.sort();
          const scratch = resolved(members.toReversed());
          const now = resolved(members, 0, before);
          assert.deepEqual(compiled(now), compiled(scratch));
          const again = resolved([...members], 0, now);
          for (const [term, group] of Object.entries(again.groups))
            assert.equal(group.intervals, now.groups[term]?.intervals);
          before = now;
        }
      },
    ),
    search(t, 300),
  );
});

t.test('points whose rules are of different versions do not get into each other’s way', async (t) => {
  const at = (point: string, cidr: string): PointRules[] =>
    slicePolicy(
      linkModel(
        [
          server({ name: point, bind: point, point }),
          network({ cidrs: [cidr] }),
          policy(rule({ from: [{ network: 'branches' }] })),
        ].map(asSource),
        [],
      ),
      digest,
    );
  const [one, two] = [at('edge-1', '192.0.2.0/24'), at('edge-2', '198.51.100.0/24')];
  const both = resolveSlice([...one, ...two], () => [], 0);
  for (const [point, own] of [
    ['edge-1', one],
    ['edge-2', two],
  ] as const) {
    const alone = resolveSlice(own, () => [], 0);
    const options = { revision: 1, digest };
    t.same(compilePoint(both, point, options), compilePoint(alone, point, options), point);
  }
});
