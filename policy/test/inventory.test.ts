/** Who is where, put beside what people signed: objects are the policy's, members the inventory's. */
import assert from 'node:assert/strict';
import {
  explain,
  type Finding,
  identitiesOf,
  linkInventory,
  linkModel,
  type Model,
  pointViews,
  type Resolution,
  resolve,
  slicePolicy,
  withInventory,
} from '@edgeward/policy';
import fc from 'fast-check';
import t from 'tap';
import { host, NOW, network, policy, rule, server, workload } from './cases/case.ts';
import { asSource, digest } from './compiled.ts';
import { arbitraryDirectory } from './generators/documents.ts';
import { arbitraryInventory } from './generators/inventory.ts';
import { canonical } from './members.ts';
import { search } from './runs.ts';

const point = { kind: 'Point', name: 'host-db-1', management: ['10.99.0.0/24'] };
const signed = [
  server(),
  point,
  host({ addresses: [], ports: ['tcp/5432'], mode: 'enforce' }),
  policy(
    rule({ id: 'crm', from: [{ workloads: "app == 'crm'" }] }),
    rule({ id: 'db', from: [{ workloads: "app == 'db'" }], to: "app in {'db', 'shop'}" }),
  ),
];

function resolved(documents: unknown[], inventory: unknown[]): Resolution {
  const findings: Finding[] = [];
  const model = linkModel(documents.map(asSource), findings);
  const where = linkInventory(inventory.map(asSource), findings);
  assert.deepEqual(findings, []);
  return resolve(withInventory(model, where), Date.parse(NOW));
}

const sizes = ({ rules }: Resolution): Record<string, number> =>
  Object.fromEntries(rules.map(({ rule: { id }, groups }) => [id, groups[0]?.memberCount ?? 0]));

const objects = (resolution: Resolution): unknown =>
  resolution.objects.map(({ name, labels, point, mode }) => [name, labels, point, mode]);

const DB = ['db-1', { app: 'db' }, 'host-db-1', 'enforce'];
const FRONT = ['front', { app: 'shop' }, 'edge-1', 'observe'];

t.test('objects are those that people signed, members those that the inventory knows', async (t) => {
  const table: { name: string; inventory: unknown[]; sizes: object }[] = [
    { name: 'nobody anywhere', inventory: [], sizes: { crm: 0, db: 0 } },
    { name: 'a host where people expect it', inventory: [host()], sizes: { crm: 0, db: 1 } },
    {
      name: 'a host that has other labels there',
      inventory: [host({ labels: { app: 'crm' } })],
      sizes: { crm: 1, db: 0 },
    },
    {
      name: 'a host that another point, or none, would enforce at',
      inventory: [host({ point: 'edge-1', mode: 'off', ports: ['tcp/1'] })],
      sizes: { crm: 0, db: 1 },
    },
    { name: 'a workload beside it', inventory: [host(), workload()], sizes: { crm: 1, db: 1 } },
    {
      name: 'a stranger that calls itself protected',
      inventory: [workload({ point: 'edge-9' })],
      sizes: { crm: 1, db: 0 },
    },
    {
      name: 'documents that are policy',
      inventory: [server({ name: 'other', bind: 'other' }), network()],
      sizes: { crm: 0, db: 0 },
    },
  ];
  for (const { name, inventory, sizes: expected } of table) {
    const resolution = resolved(signed, inventory);
    t.strictSame(sizes(resolution), expected, name);
    t.same(objects(resolution), [DB, FRONT], `${name}: objects`);
  }
});

t.test('addresses in the policy itself make nobody a member', async (t) => {
  const documents = [...signed.filter((it) => it !== signed[2]), host({ mode: 'enforce' }), workload()];
  t.strictSame(sizes(resolved(documents, [])), { crm: 0, db: 0 });
  t.strictSame(sizes(resolved(documents, [host({ addresses: ['10.40.0.8', '10.40.0.9'] })])), { crm: 0, db: 1 });
});

t.test('an explanation tells the labels that count at either end', async (t) => {
  const resolution = resolved(signed, [host({ labels: { app: 'crm' } })]);
  const views = pointViews(resolution, digest);
  const told = (to: string): object =>
    explain(identitiesOf(resolution), views.forObject(to), { from: '10.40.0.7', to, port: 'tcp/5432' });
  t.match(told('front'), { source: { workloads: ['db-1'], labels: { app: 'crm' } } });
  t.match(told('db-1'), { verdict: 'deny', objectLabels: { app: 'db' }, source: { labels: { app: 'crm' } } });
});

t.test('a workload with an error, or a name that is taken, is told and left out, and none is half there', async (t) => {
  const table: { name: string; value: unknown; codes: string[] }[] = [
    { name: 'labels that are none', value: workload({ labels: 7 }), codes: ['EDW_ERR_TYPE'] },
    { name: 'no address at all', value: workload({ addresses: ['10.0.0.0/8'] }), codes: ['EDW_ERR_ADDRESS'] },
    { name: 'a key too many, beside a point', value: host({ labls: {} }), codes: ['EDW_ERR_UNKNOWN_KEY'] },
    {
      name: 'a prototype in place of what is missing',
      value: JSON.parse('{"kind":"Workload","name":"y","point":"p","__proto__":{"labels":{},"addresses":[]}}'),
      codes: ['EDW_ERR_MISSING_KEY', 'EDW_ERR_MISSING_KEY', 'EDW_ERR_UNKNOWN_KEY'],
    },
    { name: 'a name that is taken', value: workload({ name: 'first' }), codes: ['EDW_ERR_DUPLICATE_NAME'] },
    { name: 'not even a mapping', value: ['Workload'], codes: [] },
  ];
  for (const { name, value, codes } of table) {
    const findings: Finding[] = [];
    const read = linkInventory([workload({ name: 'first' }), value].map(asSource), findings);
    t.strictSame(findings.map(({ code }) => code).sort(), codes, name);
    t.strictSame(
      read.map((it) => it.value.name),
      ['first'],
      `${name}: left out`,
    );
  }
});

t.test('no inventory changes what people sign, and one object serves many models', async (t) => {
  fc.assert(
    fc.property(arbitraryDirectory(), arbitraryDirectory(), arbitraryInventory, (first, second, extra) => {
      const inventory = linkInventory([...second, ...extra].map(asSource), []);
      for (const documents of [first, second]) {
        const model: Model = linkModel(documents.map(asSource), []);
        const sliced = canonical(slicePolicy(model, digest));
        assert.equal(canonical(slicePolicy(withInventory(model, inventory), digest)), sliced);
      }
    }),
    search(t, 100),
  );
});
