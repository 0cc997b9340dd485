/** Members as they are kept up, against resolving everything anew with the core. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import {
  compareText,
  formatAddress,
  linkModel,
  type Model,
  resolve,
  slicePolicy,
  successor,
  type Workload,
  type WorkloadGroup,
  workloadGroupsOf,
} from '@edgeward/policy';
import fc from 'fast-check';
import t from 'tap';
import { arbitraryDirectory, NOW } from '../../policy/test/generators/documents.ts';
import { arbitraryInventory } from '../../policy/test/generators/inventory.ts';
import { createMembership, type MemberCounts, type Membership, type WorkloadEdit } from '../src/membership/index.ts';

const runs = Number(process.env.EDGEWARD_RUNS ?? 1);
const seedOf = (t: { comment(...args: unknown[]): void }): number => {
  const seed = Number(process.env.EDGEWARD_SEED) || 1 + Math.floor(Math.random() * 0x7ffffffe);
  t.comment(`EDGEWARD_SEED=${seed}`);
  return seed;
};
const digest = (text: string): string => createHash('sha256').update(text).digest('hex');

interface Written {
  kind: string;
  name: string;
  labels: Record<string, string>;
  addresses: string[];
}

const modelOf = (documents: unknown[]): Model =>
  linkModel(
    documents.map((value) => ({ file: 'test.yaml', value, locate: () => ({ line: 1, column: 1 }) })),
    [],
  );

const groupsOf = (documents: unknown[]): WorkloadGroup[] => workloadGroupsOf(slicePolicy(modelOf(documents), digest));

const workloadsIn = (documents: unknown[]): Written[] =>
  (documents as Written[])
    .filter(({ kind }) => kind === 'Workload')
    .map(({ kind, name, labels, addresses }) => ({ kind, name, labels, addresses }));

const editOf = (workload: Written | { name: string }): WorkloadEdit => {
  if (!('labels' in workload)) return { name: workload.name, is: null };
  const [read] = modelOf([workload]).workloads;
  const { labels, addresses } = (read as { value: Workload }).value;
  return { name: workload.name, is: { labels, addresses } };
};

interface Expected {
  members: string[];
  size: MemberCounts;
}

/** What the core says: policies and this inventory, resolved from scratch. */
const expected = (documents: unknown[], inventory: Iterable<Written>): Map<string, Expected> => {
  const rest = (documents as Written[]).filter(({ kind }) => kind !== 'Workload');
  const resolution = resolve(modelOf([...rest, ...inventory]), Date.parse(NOW));
  return new Map(
    Object.values(resolution.groups)
      .filter(({ members }) => members !== null)
      .map(({ term, intervals, memberCount }) => {
        const list = intervals.flatMap(({ lo, hi }) => {
          const out = [formatAddress(lo)];
          for (let key = lo; key !== hi; out.push(formatAddress(key))) key = successor(key) as string;
          return out;
        });
        const ipv6 = list.filter((address) => address.includes(':')).length;
        const size = { workloads: memberCount, ipv4: list.length - ipv6, ipv6 };
        return [`g.${digest(term).slice(0, 16)}`, { members: list.sort(compareText), size }];
      }),
  );
};

const largest = (size: MemberCounts | undefined): number => Math.max(0, ...Object.values(size ?? {}));

interface Step {
  at: number;
  kind: 'remove' | 'put' | 'relabel' | 'readdress' | 'same' | 'groups';
  choice: number;
}

const arbitrarySteps = fc.array(
  fc.array(
    fc.record({
      at: fc.nat(1000),
      kind: fc.constantFrom(
        ...(['remove', 'put', 'put', 'relabel', 'relabel', 'readdress', 'readdress', 'same', 'groups'] as const),
      ),
      choice: fc.nat(1000),
    }),
    { minLength: 1, maxLength: 5 },
  ),
  { minLength: 2, maxLength: 8 },
);

const ADDRESSES = [
  [],
  ['10.0.0.1'],
  ['10.0.0.2', '2001:db8::1', '10.0.0.2'],
  ['10.0.0.127', '10.0.0.128'],
  ['11.0.0.0'],
];
const pick = <T>(list: readonly T[], choice: number): T => list[choice % list.length] as T;

/** The edit as it goes in, and the inventory after it. */
const taken = (step: Step, inventory: Map<string, Written>, stock: Written[]): WorkloadEdit | null => {
  const known = [...inventory.values()];
  const one = known.length === 0 ? undefined : pick(known, step.at);
  if (step.kind === 'put' || one === undefined) {
    if (stock.length === 0) return null;
    const it = pick(stock, step.choice);
    inventory.set(it.name, it);
    return editOf(it);
  }
  if (step.kind === 'remove') {
    inventory.delete(one.name);
    return editOf({ name: one.name });
  }
  const changed = structuredClone(one);
  if (step.kind === 'relabel') changed.labels.app = pick(['crm', 'shop', 'billing', 'other'], step.choice);
  if (step.kind === 'readdress') changed.addresses = pick(ADDRESSES, step.choice);
  inventory.set(one.name, changed);
  return editOf(changed);
};

const checkAgainst = (membership: Membership, groups: WorkloadGroup[], want: Map<string, Expected>): void => {
  assert.deepEqual(
    membership.groups(),
    groups.map(({ id }) => id),
  );
  for (const { id } of groups) {
    assert.deepEqual(membership.members(id), want.get(id)?.members, id);
    assert.equal(membership.memberCount(id), want.get(id)?.members.length, id);
    assert.deepEqual(membership.sizeOf(id), want.get(id)?.size, id);
  }
};

t.test('after any edits the members are what resolving everything says, and what changed was told', async (t) => {
  const seen = { batches: 0, told: 0 };
  fc.assert(
    fc.property(
      arbitraryDirectory(),
      arbitraryDirectory(),
      arbitraryInventory,
      arbitrarySteps,
      (first, second, extra, batches) => {
        const membership = createMembership();
        let documents = first;
        let groups = groupsOf(documents);
        const inventory = new Map(workloadsIn(first).map((it) => [it.name, it]));
        const stock = [...workloadsIn(second), ...(extra as Written[])];
        // Half of it before there are groups, as when a store starts.
        const start = [...inventory.values()].map(editOf);
        membership.change(start.slice(0, start.length >> 1));
        membership.setGroups(groups);
        membership.change(start.slice(start.length >> 1));
        const replica = new Map(groups.map(({ id }) => [id, new Set(membership.members(id))]));
        checkAgainst(membership, groups, expected(documents, inventory.values()));
        for (const steps of batches) {
          if (steps.some(({ kind }) => kind === 'groups')) {
            documents = documents === first ? second : first;
            groups = groupsOf(documents);
            const set = membership.setGroups(groups);
            assert.ok(set.state === 'changed');
            for (const id of set.removed) assert.ok(replica.delete(id));
            for (const id of set.added) replica.set(id, new Set(membership.members(id)));
            assert.deepEqual(
              [...replica.keys()].sort(),
              groups.map(({ id }) => id),
            );
          }
          const edits = steps.map((step) => taken(step, inventory, stock)).filter((it) => it !== null);
          const sizes = new Map(groups.map(({ id }) => [id, membership.sizeOf(id)]));
          const result = membership.change(edits);
          assert.ok(result.state === 'changed');
          seen.batches += 1;
          for (const [id, { add, remove }] of result.groups) {
            const members = replica.get(id);
            assert.ok(members !== undefined && add.length + remove.length > 0);
            for (const address of remove) assert.ok(members.delete(address));
            for (const address of add) assert.ok(!members.has(address) && members.add(address));
            seen.told += 1;
          }
          for (const { id } of groups) {
            const [was, is] = [sizes.get(id), membership.sizeOf(id)];
            if (!isDeepStrictEqual(was, is)) assert.deepEqual(result.counts.get(id), is, 'and whose size moved');
          }
          checkAgainst(membership, groups, expected(documents, inventory.values()));
          for (const [id, members] of replica) assert.deepEqual([...members].sort(compareText), membership.members(id));
          const counts = membership.counts();
          assert.equal(counts.workloads, inventory.size);
          assert.equal(
            counts.addresses,
            new Set([...inventory.values()].flatMap((it) => editOf(it).is?.addresses ?? [])).size,
          );
          assert.equal(
            counts.labelSets,
            new Set([...inventory.values()].map(({ labels }) => JSON.stringify(Object.entries(labels).sort()))).size,
          );
        }
      },
    ),
    { seed: seedOf(t), numRuns: 150 * runs },
  );
  t.comment(JSON.stringify(seen));
  t.ok(seen.told > seen.batches / 4, 'and a good part of the edits concerns a group');
});

t.test('a change that puts too many into a group is refused, and is as if it had never been', async (t) => {
  const seen = { changed: 0, refused: 0, workloads: 0, ipv4: 0, ipv6: 0 };
  fc.assert(
    fc.property(arbitraryDirectory(), arbitraryInventory, arbitrarySteps, fc.nat(1), (first, extra, batches, spare) => {
      const inventory = new Map(workloadsIn(first).map((it) => [it.name, it]));
      const stock = [...workloadsIn(first), ...(extra as Written[])];
      const membership = createMembership();
      membership.change([...inventory.values()].map(editOf));
      const start = expected(first, inventory.values());
      const groups = groupsOf(first).map((group) => ({ ...group, max: largest(start.get(group.id)?.size) + spare }));
      assert.equal(membership.setGroups(groups).state, 'changed');
      for (const steps of batches) {
        const draft = new Map(inventory);
        const edits = steps.map((step) => taken(step, draft, stock)).filter((it) => it !== null);
        const before = JSON.stringify([membership.counts(), groups.map(({ id }) => membership.members(id))]);
        const want = expected(first, draft.values());
        const tooMany = groups.filter(({ id, max }) => largest(want.get(id)?.size) > max);
        const result = membership.change(edits);
        seen[result.state] += 1;
        if (result.state === 'changed') {
          assert.deepEqual(tooMany, []);
          for (const [name] of inventory) inventory.delete(name);
          for (const [name, it] of draft) inventory.set(name, it);
        } else {
          const reported = result.exceeded.map(({ group }) => group).sort();
          assert.deepEqual(
            reported,
            tooMany.map(({ id }) => id),
          );
          for (const { group, counted, members } of result.exceeded) {
            assert.equal(members, largest(want.get(group)?.size));
            assert.equal(members, want.get(group)?.size[counted]);
            seen[counted] += 1;
          }
          assert.equal(JSON.stringify([membership.counts(), groups.map(({ id }) => membership.members(id))]), before);
        }
        checkAgainst(membership, groups, expected(first, inventory.values()));
      }
    }),
    { seed: seedOf(t), numRuns: 200 * runs },
  );
  t.comment(JSON.stringify(seen));
  t.ok(seen.refused > 0 && seen.changed > 0 && seen.workloads > 0 && seen.ipv4 > 0);
});
