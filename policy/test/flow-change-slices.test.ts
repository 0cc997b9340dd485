/** A change between rules documents, as a point or its store knows them: what it says is what the directories say. */
import assert from 'node:assert/strict';
import {
  type FlowSide,
  flowChanges,
  linkInventory,
  type Model,
  type PolicyChanges,
  requestText,
  resolve,
  resolveSlice,
  slicePolicy,
  withInventory,
} from '@edgeward/policy';
import fc from 'fast-check';
import t from 'tap';
import { host, NOW, network, policy, rule, server, workload } from './cases/case.ts';
import { asSource, digest, soundModel } from './compiled.ts';
import { arbitraryEdits, edited } from './edits.ts';
import { compiledSide, EVERYTHING } from './flow-sides.ts';
import { arbitraryDirectory } from './generators/documents.ts';
import { arbitraryInventory } from './generators/inventory.ts';
import { membersOf } from './members.ts';
import { search } from './runs.ts';

const nowMs = Date.parse(NOW);

/** With names, and as rules documents and members alone say it. */
function bothSides(model: Model): { named: FlowSide; sliced: FlowSide } {
  const resolution = resolve(model, nowMs);
  const slices = slicePolicy(model, digest);
  return { named: compiledSide(resolution), sliced: compiledSide(resolveSlice(slices, membersOf(resolution), nowMs)) };
}

/** Without what needs names. */
function nameless(changes: PolicyChanges): unknown {
  const told = (list: PolicyChanges['points'][0]['objects'][0]['gained']): unknown =>
    list.map(({ source, ...rest }) => ({ ...rest, source: { ...source, workloads: null, except: null } }));
  const points = changes.points.map((point) => ({
    ...point,
    before: point.before === null ? null : { ...point.before, members: 0 },
    after: point.after === null ? null : { ...point.after, members: 0 },
    objects: point.objects.map((it) => ({ ...it, gained: told(it.gained), lost: told(it.lost) })),
  }));
  return { ...changes, points };
}

t.test('rules documents and members say what the directories say, but for names', async (t) => {
  const seen = { changes: 0, workloads: 0 };
  fc.assert(
    fc.property(
      arbitraryDirectory(),
      arbitraryInventory,
      arbitraryDirectory(),
      arbitraryEdits,
      (first, inventory, stock, edits) => {
        let directory = { documents: first.concat(inventory), stock, nowMs };
        const before = soundModel(directory.documents);
        assert.ok(before);
        for (const edit of edits) directory = edited(directory, edit);
        const after = soundModel(directory.documents);
        if (after === null) return;
        const [was, is] = [bothSides(before), bothSides(after)];
        for (const from of [was, null]) {
          const named = flowChanges(from?.named ?? null, is.named, EVERYTHING);
          const sliced = flowChanges(from?.sliced ?? null, is.sliced, EVERYTHING);
          assert.deepEqual(nameless(sliced), nameless(named));
          for (const { objects } of sliced.points) {
            for (const { source } of objects.flatMap(({ gained, lost }) => [...gained, ...lost])) {
              seen.changes += 1;
              if (source.kind !== 'workloads') continue;
              seen.workloads += 1;
              assert.equal(source.workloads, null);
              assert.ok(source.ranges.examples.length > 0 && source.addresses > 0);
            }
          }
        }
      },
    ),
    search(t, 80),
  );
  t.comment(JSON.stringify(seen));
  t.ok(seen.workloads > 10, 'and many of them are about workloads');
});

const crm = (n: number, rest: object = {}): unknown =>
  workload({ name: `crm-${n}`, addresses: [`10.30.1.${n}`], ...rest });
const bundle = (...rules: object[]): unknown[] => [
  server(),
  network(),
  { kind: 'Point', name: 'host-db-1', management: ['10.99.0.0/24'] },
  host({ addresses: [], ports: ['tcp/5432'], mode: 'enforce' }),
  policy(...rules),
];
const app = (name: string): object => ({ workloads: `app == '${name}'` });
const READ = [{ methods: ['GET'], path: '/v1/*' }];

const toldChanges = (changes: PolicyChanges): unknown =>
  changes.points.flatMap(({ objects }) =>
    objects.map(({ object, gained, lost }) => {
      const told = (list: typeof gained): string[] =>
        list.map(({ cause, source, requests }) => {
          const names = source.workloads?.examples.map(({ name, address }) => `${name} ${address}`);
          const who = (names ?? source.ranges.examples).join(', ');
          return `${cause}: ${source.text}${source.whole ? '' : ' in part'} (${who}) ${requests.map(requestText).join('; ')}`;
        });
      return { object, gained: told(gained), lost: told(lost) };
    }),
  );

t.test('two bundles and one inventory are compared with names, and without them by addresses', async (t) => {
  const before = bundle(rule({ id: 'crm', from: [app('crm')] }), rule({ id: 'db', from: [app('db')] }));
  const after = bundle(
    rule({ id: 'crm', from: [app('crm')], http: READ }),
    rule({ id: 'crm-db', from: [app('crm')], to: "app == 'db'" }),
  );
  // A host whose labels the inventory knows otherwise is a member by those, and an object by what people signed.
  const documents = [crm(4), crm(5), host({ labels: { app: 'crm' } }), crm(9, { labels: { app: 'db' } })];
  const inventory = linkInventory(documents.map(asSource), []);
  const [was, is] = [before, after].map((it) => bothSides(withInventory(soundModel(it) as Model, inventory)));
  assert.ok(was !== undefined && is !== undefined);
  const expected = (everybody: string, db: string): unknown => [
    {
      object: 'front',
      gained: [],
      lost: [`rule: app=crm (${everybody}) every request`, `rule: app=db (${db}) every request`],
    },
    { object: 'db-1', gained: [`rule: app=crm (${everybody}) every request`], lost: [] },
  ];
  t.strictSame(
    toldChanges(flowChanges(was.named, is.named, EVERYTHING)),
    expected('crm-4 10.30.1.4, crm-5 10.30.1.5, db-1 10.40.0.7', 'crm-9 10.30.1.9'),
  );
  t.strictSame(
    toldChanges(flowChanges(was.sliced, is.sliced, EVERYTHING)),
    expected('10.30.1.4/31, 10.40.0.7', '10.30.1.9'),
  );
});

t.test('with nobody known to be anywhere, terms that name addresses are all that is told', async (t) => {
  const before = slicePolicy(soundModel(bundle(rule({ from: [app('crm')] }))) as Model, digest);
  const after = slicePolicy(
    soundModel(bundle(rule({ from: [app('crm'), { network: 'branches' }], http: READ }))) as Model,
    digest,
  );
  const side = (slices: typeof before): FlowSide => compiledSide(resolveSlice(slices, () => [], nowMs));
  const changes = flowChanges(side(before), side(after), EVERYTHING);
  t.strictSame(toldChanges(changes), [
    { object: 'front', gained: ['rule: network branches (192.0.2.0/24) GET /v1/*'], lost: [] },
  ]);
  t.match(changes.points[0]?.objects[0]?.rules, { added: [], removed: [], changed: ['r'] }, 'that the rule changed is');
});

t.test('points at different versions of a rule are each told by their own', async (t) => {
  const at = (point: string, from: object): ReturnType<typeof slicePolicy> =>
    slicePolicy(
      soundModel([server({ name: point, bind: 'front', point }), policy(rule({ from: [from] }))]) as Model,
      digest,
    );
  const side = (...terms: [object, object]): FlowSide =>
    compiledSide(resolveSlice([...at('edge-1', terms[0]), ...at('edge-2', terms[1])], () => [], nowMs));
  const [one, two, three] = [{ cidr: '10.1.0.0/16' }, { cidr: '10.2.0.0/16' }, { cidr: '10.3.0.0/16' }];
  t.strictSame(toldChanges(flowChanges(side(one, one), side(two, three), EVERYTHING)), [
    {
      object: 'edge-1',
      gained: ['rule: 10.2.0.0/16 (10.2.0.0/16) every request'],
      lost: ['rule: 10.1.0.0/16 (10.1.0.0/16) every request'],
    },
    {
      object: 'edge-2',
      gained: ['rule: 10.3.0.0/16 (10.3.0.0/16) every request'],
      lost: ['rule: 10.1.0.0/16 (10.1.0.0/16) every request'],
    },
  ]);
});
