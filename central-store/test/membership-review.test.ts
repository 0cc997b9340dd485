/**
 * Who is a member, asked in three places: where a change is reviewed, in the store, and at the last hop. The inventory may
 * say of a protected host what it likes, and leave it out.
 */
import assert from 'node:assert/strict';
import {
  compilePoint,
  type Finding,
  linkInventory,
  linkModel,
  type Model,
  type Placed,
  type PointRules,
  pointsOf,
  type Resolution,
  resolve,
  resolveSlice,
  type SourceDocument,
  slicePolicy,
  type Workload,
  withInventory,
  workloadGroupsOf,
} from '@edgeward/policy';
import { bookFromPages, checkFences, createMemberBook, rulesBytes, rulesOf } from '@edgeward/policy-format';
import { sha256Hex } from '@edgeward/runtime';
import fc from 'fast-check';
import t from 'tap';
import { arbitraryDirectory, NOW } from '../../policy/test/generators/documents.ts';
import { arbitraryInventory } from '../../policy/test/generators/inventory.ts';
import { search } from '../../policy/test/runs.ts';
import { bundleOf, createMembership, type Membership, parseBundle, sourceDocumentsOf } from '../src/index.ts';

interface Written {
  kind: string;
  name: string;
  labels: Record<string, string>;
  addresses: string[];
}

const asSource = (value: unknown): SourceDocument => ({
  file: 'test.yaml',
  value,
  locate: () => ({ line: 1, column: 1 }),
});

/** Of a workload, by number: as people wrote it, with other labels, elsewhere, or not at all. */
const moved = (it: Written, how: number): Written[] => {
  if (how % 5 === 1) return [{ ...it, labels: { ...it.labels, app: ['crm', 'shop', 'billing'][how % 3] as string } }];
  if (how % 5 === 2) return [{ ...it, labels: {} }];
  if (how % 5 === 3) return [{ ...it, addresses: ['10.0.0.1', '2001:db8::1', '11.0.0.0'].slice(how % 3) }];
  return how % 5 === 4 ? [] : [it];
};

/** What machines write: hosts too, some with a point of their own choosing. */
const inventoryOf = (documents: unknown[], extra: unknown[], choices: number[]): Written[] => {
  const all = [...documents, ...extra] as Written[];
  return all
    .filter(({ kind }) => kind === 'Workload')
    .flatMap((it, i) => moved(it, choices[i % choices.length] as number));
};

/** A bundle as it is signed, stored, and read again. */
const signedModel = (documents: unknown[]): Model => {
  const findings: Finding[] = [];
  const { bytes } = bundleOf(documents.map(asSource));
  const model = linkModel(sourceDocumentsOf(parseBundle(bytes)), findings);
  assert.deepEqual(
    findings.filter(({ severity }) => severity === 'error'),
    [],
  );
  return model;
};

const received = (resolution: Resolution): unknown =>
  pointsOf(resolution).map((point) => compilePoint(resolution, point, { revision: 7, digest: sha256Hex }));

/** The store, with its groups filled. */
const filled = (slices: PointRules[], inventory: Placed<Workload>[]): Membership => {
  const membership = createMembership();
  membership.setGroups(workloadGroupsOf(slices).map((group) => ({ ...group, max: null })));
  membership.change(inventory.map(({ value: { name, labels, addresses } }) => ({ name, is: { labels, addresses } })));
  return membership;
};

/** One last hop for all points reads pages and rules. */
const published = (slices: PointRules[], inventory: Placed<Workload>[], nowMs: number): Resolution => {
  const membership = filled(slices, inventory);
  const stored = createMemberBook(membership.groups().map((id) => [id, membership.members(id)]));
  const pages = Array.from({ length: stored.pageCount }, (_, number) => stored.page(number).bytes);
  const book = bookFromPages(stored.index().bytes, pages, () => true);
  const rules = slices.map((slice) => rulesOf(rulesBytes(slice), slice.point));
  checkFences(rules, book);
  return resolveSlice(rules, (group) => book.members(group), nowMs);
};

t.test('a review, the store and a last hop agree on who is a member, whatever labels a host has where', async (t) => {
  const seen = { objects: 0, otherwise: 0 };
  fc.assert(
    fc.property(
      arbitraryDirectory(),
      arbitraryInventory,
      fc.array(fc.nat(1000), { minLength: 1, maxLength: 20 }),
      (documents, extra, choices) => {
        const model = signedModel(documents);
        const inventory = linkInventory(inventoryOf(documents, extra, choices).map(asSource), []);
        const nowMs = Date.parse(NOW);
        const reviewed = resolve(withInventory(model, inventory), nowMs);
        const slices = slicePolicy(model, sha256Hex);
        assert.deepEqual(received(published(slices, inventory, nowMs)), received(reviewed));
        const whole = resolve(linkModel(documents.map(asSource), []), nowMs);
        seen.objects += reviewed.objects.length;
        if (JSON.stringify(received(whole)) !== JSON.stringify(received(reviewed))) seen.otherwise += 1;
      },
    ),
    search(t, 200),
  );
  t.comment(JSON.stringify(seen));
  t.ok(seen.otherwise > 10, 'and where machines say otherwise, that counts');
});

t.test('a store counts as many workloads as a review does before it', async (t) => {
  fc.assert(
    fc.property(
      arbitraryDirectory(),
      arbitraryInventory,
      fc.array(fc.nat(1000), { minLength: 1, maxLength: 20 }),
      (documents, extra, choices) => {
        const model = signedModel(documents);
        const inventory = linkInventory(inventoryOf(documents, extra, choices).map(asSource), []);
        const membership = filled(slicePolicy(model, sha256Hex), inventory);
        const { groups } = resolve(withInventory(model, inventory), Date.parse(NOW));
        for (const { term, members, memberCount } of Object.values(groups)) {
          const id = `g.${sha256Hex(term).slice(0, 16)}`;
          // A group that is named for no object is in no slice.
          if (members === null || !membership.groups().includes(id)) continue;
          assert.equal(membership.sizeOf(id).workloads, memberCount);
        }
      },
    ),
    search(t, 100),
  );
});
