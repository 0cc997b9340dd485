/** Objects whose rules name the same groups in the same way share what is made of them, and nobody sees it in a byte. */
import assert from 'node:assert/strict';
import {
  type CompiledObject,
  type CompileMemo,
  compilePoint,
  compilePoints,
  type Document,
  type DocumentMemo,
  type Finding,
  linkModel,
  type Model,
  pointsOf,
  type Resolution,
  resolve,
} from '@edgeward/policy';
import fc from 'fast-check';
import t from 'tap';
import { host, network, policy, rule, server } from './cases/case.ts';
import { fragmented } from './cases/fragments.ts';
import { asSource, digest, soundModel } from './compiled.ts';
import { arbitraryEdits, type Directory, edited } from './edits.ts';
import { arbitraryDirectory, NOW } from './generators/documents.ts';
import { search } from './runs.ts';

const NOW_MS = Date.parse(NOW);
const options = { revision: 0, digest };
const emptyMemo = (): CompileMemo => ({ objects: Object.create(null) });
const resolved = (...documents: unknown[]): Resolution => resolve(soundModel(documents) as Model, NOW_MS);

/** With nobody to share with. */
function alone(resolution: Resolution, at: number): CompiledObject {
  const { objects, naming } = resolution;
  const one = { ...resolution, objects: objects.slice(at, at + 1), naming: naming.slice(at, at + 1) };
  return compilePoint(one, objects[at]?.point ?? '', options).objects[0] as CompiledObject;
}

function hashOf({ name, hash: _, ...body }: CompiledObject): string {
  return digest(JSON.stringify([name, body]));
}

const tablesOf = (memo: CompileMemo) => Object.values(memo.tables ?? {}).flat();

/** Nothing is held that the objects of the newest build don't have. */
function checkHeld(memo: CompileMemo, objects: CompiledObject[]): void {
  const kept = Object.values(memo.objects).flatMap((point) => Object.values(point));
  assert.deepEqual(new Set(kept.map(({ compiled }) => compiled)), new Set(objects));
  const tables = tablesOf(memo);
  assert.deepEqual(new Set(tables), new Set(kept.map(({ table }) => table)));
  for (const table of tables) assert.equal(table.users, kept.filter((it) => it.table === table).length);
}

t.test('after every edit each object is, byte for byte, what compiling it alone gives', async (t) => {
  const seen = { objects: 0, shared: 0, points: 0 };
  const stock = arbitraryDirectory();
  fc.assert(
    fc.property(arbitraryDirectory(), stock, arbitraryEdits, (documents, more, edits) => {
      let directory: Directory = { documents, stock: more, nowMs: NOW_MS };
      let before: Resolution | undefined;
      const memo = emptyMemo();
      const known = new WeakMap<object, Document>();
      const documentMemo: DocumentMemo = {
        get: (value) => known.get(value),
        set: (value, document) => known.set(value, document),
      };
      const points = new Set<string>();
      for (const edit of [null, ...edits]) {
        if (edit !== null) directory = edited(directory, edit);
        const findings: Finding[] = [];
        const model = linkModel(directory.documents.map(asSource), findings, documentMemo);
        if (findings.some(({ severity }) => severity === 'error')) continue;
        const resolution = resolve(model, directory.nowMs, before);
        before = resolution;
        for (const point of pointsOf(resolution)) points.add(point);
        const { policies } = compilePoints(resolution, [...points], { ...options, memo });
        const objects = policies.flatMap((it) => it.objects);
        resolution.objects.forEach((object, i) => {
          const together = objects.find(({ name }) => name === object.name) as CompiledObject;
          assert.equal(JSON.stringify(together), JSON.stringify(alone(resolution, i)));
          assert.equal(together.hash, hashOf(together));
        });
        checkHeld(memo, objects);
        seen.objects += objects.length;
        seen.shared += objects.length - new Set(objects.map(({ sources }) => sources)).size;
        seen.points += points.size;
      }
    }),
    search(t, 150),
  );
  t.comment(JSON.stringify(seen));
  t.ok(seen.shared > seen.points / 10, 'and a good part of them shares');
});

const hosts = (count: number, rest: Record<string, unknown> = {}): unknown[] =>
  Array.from({ length: count }, (_, i) =>
    host({ name: `db-${i}`, addresses: [`10.40.0.${i}`], point: `host-${i}`, ...rest }),
  );
const toHosts = (id: string, rest: Record<string, unknown> = {}): Record<string, unknown> =>
  rule({ id, from: [{ network: 'branches' }], to: "app == 'db'", ...rest });
const build = (resolution: Resolution, memo: CompileMemo, points = pointsOf(resolution)): CompiledObject[] =>
  compilePoints(resolution, points, { ...options, memo }).policies.flatMap((it) => it.objects);

t.test('what objects share is how their rules name groups, whatever else they differ in', async (t) => {
  const branches = { network: 'branches' };
  const offices = { network: 'offices' };
  const crm = { workloads: "app == 'crm'" };
  const shared = (one: Record<string, unknown>[], other: Record<string, unknown>[]): boolean => {
    const resolution = resolved(
      host({ name: 'one', labels: { app: 'db', of: 'one' }, point: 'host-one' }),
      host({ name: 'other', labels: { app: 'db', of: 'other' }, point: 'host-other', mode: 'observe' }),
      network(),
      network({ name: 'offices', cidrs: ['198.51.100.0/24'] }),
      policy(
        ...one.map((rest, i) => toHosts(`a${i}`, { to: "of == 'one'", ...rest })),
        ...other.map((rest, i) => toHosts(`b${i}`, { to: "of == 'other'", ...rest })),
      ),
    );
    const [first, second] = build(resolution, emptyMemo());
    t.not(first?.hash, second?.hash);
    return first?.sources === second?.sources;
  };
  const cases = [
    { name: 'other names and modes', one: [{}], other: [{}], expect: true },
    { name: 'other ports', one: [{ ports: ['tcp/22'] }], other: [{ ports: ['tcp/5432'] }], expect: true },
    { name: 'the other action', one: [{}], other: [{ action: 'deny' }], expect: true },
    { name: 'another network', one: [{}], other: [{ from: [offices] }], expect: false },
    { name: 'a network more', one: [{}], other: [{ from: [branches, offices] }], expect: false },
    { name: 'the same addresses otherwise', one: [{}], other: [{ from: [{ cidr: '192.0.2.0/24' }] }], expect: false },
    {
      name: 'the same groups, in other rules',
      one: [{ from: [branches, offices] }, { from: [crm] }],
      other: [{ from: [branches] }, { from: [offices, crm] }],
      expect: false,
    },
    {
      name: 'another group between the same ones',
      one: [{ from: [branches, offices, crm] }],
      other: [{ from: [branches, { cidr: '203.0.113.0/24' }, crm] }],
      expect: false,
    },
  ];
  for (const { name, one, other, expect } of cases) t.equal(shared(one, other), expect, name);
});

t.test('points that are compiled without a memo share all the same', async (t) => {
  const resolution = resolved(...hosts(3), network(), policy(toHosts('r')));
  const { policies } = compilePoints(resolution, pointsOf(resolution), options);
  t.equal(policies.length, 3);
  t.equal(new Set(policies.map((it) => it.objects[0]?.sources)).size, 1);
});

t.test('an object that comes finds what the others have; the last one that leaves takes it along', async (t) => {
  const memo = emptyMemo();
  const at = (count: number, before?: Resolution): Resolution =>
    resolve(soundModel([...hosts(count), network(), policy(toHosts('r'))]) as Model, NOW_MS, before);
  const points = ['host-0', 'host-1', 'host-2'];
  const two = at(2);
  const [first] = build(two, memo, points);
  const three = at(3, two);
  t.equal(build(three, memo, points)[2]?.sources, first?.sources);
  t.strictSame(
    tablesOf(memo).map(({ users }) => users),
    [3],
  );
  t.strictSame(build(at(0, three), memo, points), []);
  t.strictSame(tablesOf(memo), []);
  t.strictSame(
    Object.values(memo.objects).flatMap((it) => Object.keys(it)),
    [],
  );
});

t.test('rules that no object can carry are refused at every object that has them, and found out once', async (t) => {
  const memo = emptyMemo();
  const resolution = resolved(
    ...fragmented(17),
    ...['edge-2', 'edge-3'].map((point) => server({ name: point, point, bind: point })),
  );
  const points = pointsOf(resolution);
  const refused = compilePoints(resolution, points, { ...options, memo });
  t.strictSame(refused.policies, []);
  t.strictSame(
    refused.faults.map(({ code, message }) => [code, message.split(' divide ')[0]]),
    ['front', 'edge-2', 'edge-3'].map((name) => ['EDW_ERR_TOO_FRAGMENTED', `the rules of '${name}'`]),
  );
  t.strictSame(
    tablesOf(memo).map(({ found, users }) => ({ found, users })),
    [{ found: null, users: 3 }],
  );
  t.throws(() => compilePoint(resolution, 'edge-2', { ...options, memo }), { code: 'EDW_ERR_TOO_FRAGMENTED' });
});
