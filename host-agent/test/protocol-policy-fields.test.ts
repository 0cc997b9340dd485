/** What of a signed policy a host looks at before it acts on it: every field that it reads, and nothing that a compiler makes is refused. */
import assert from 'node:assert/strict';
import { type CompiledObject, type CompiledPolicy, compilePoint, decide, pointsOf, viewOf } from '@edgeward/policy';
import { generateSigningKey } from '@edgeward/policy-format';
import { EdgewardError } from '@edgeward/runtime';
import fc from 'fast-check';
import t from 'tap';
import { compileDocuments, digest } from '../../policy/test/compiled.ts';
import { arbitraryDirectory, NOW } from '../../policy/test/generators/documents.ts';
import { search } from '../../policy/test/runs.ts';
import { vectorFiles, vectorsOf } from '../../policy/test/vector-files.ts';
import { hostLayout } from '../driver/layout/index.ts';
import { openHostPolicy, signHostPolicy } from '../protocol/index.ts';
import { enforced, HOST, OPTIONS } from './fixtures/host-policies.ts';

const at = '2026-11-23T10:00:00.000Z';
const key = await generateSigningKey();

/** As it comes to a host: signed by its service, whatever is in it. */
async function opened(policy: unknown): Promise<CompiledPolicy> {
  const bytes = await signHostPolicy(policy as CompiledPolicy, at, key);
  return (await openHostPolicy(bytes, { aud: (policy as CompiledPolicy).point, keys: [key.publicKey], floor: null }))
    .policy;
}

/** The words of the refusal, or `taken`. */
async function saidOf(policy: unknown): Promise<string> {
  try {
    await opened(policy);
    return 'taken';
  } catch (thrown) {
    const isRefusal = thrown instanceof EdgewardError && thrown.code === 'EDW_ERR_HOST_POLICY_UNREADABLE';
    return isRefusal && thrown.mend !== '' ? thrown.message : `uncoded: ${String(thrown)}`;
  }
}

const policiesOf = (documents: unknown[], now: string): CompiledPolicy[] => {
  const { resolution } = compileDocuments(documents, now);
  return pointsOf(resolution).map((point) => compilePoint(resolution, point, { revision: 3, digest }));
};

const sourcesAt = (prefix: string, count: number, radix: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${(index * 2).toString(radix)}`);

/** Sources so close to each other that every level of a table has branches, and networks beside them of all lengths. */
const crowded = (): CompiledPolicy =>
  enforced(
    {
      from: [
        ...sourcesAt('2001:db8:1:2:3:4:5:', 250, 16),
        ...sourcesAt('10.1.1.', 128, 10),
        ...sourcesAt('10.1.2.', 128, 10),
        ...['10.1.8.0/21', '11.0.0.0/8', '2001:db8:1:2:3:4:6::/112', '2001:db8:1:8::/61', '2001:db8:2::/47'],
        ...['2001:db8:1:2:3:4:5:1000/116', '2a00::/12', '2001:db8:1:2:3:5::/96'],
      ].map((cidr) => ({ cidr })),
      ports: ['tcp/5432'],
    },
    { from: [{ any: true }], ports: ['tcp/443'] },
  );

t.test('every policy that the compiler makes is taken, and is the same', async (t) => {
  const same = async (policy: CompiledPolicy): Promise<void> => assert.deepEqual(await opened(policy), policy);
  await same(crowded());
  const vectors = vectorFiles.flatMap(vectorsOf);
  for (const { policy, now } of vectors) for (const one of policiesOf(policy, now)) await same(one);
  t.ok(vectors.length > 100);
  await fc.assert(
    fc.asyncProperty(arbitraryDirectory(), async (documents) => {
      for (const one of policiesOf(documents, NOW)) await same(one);
    }),
    search(t, 100),
  );
});

const base = enforced({ from: [{ cidr: '10.1.0.0/16' }, { cidr: '2001:db8::/32' }], ports: ['tcp/5432'] });

t.test('what this version would take for something else, or trip over, is refused and named', async (t) => {
  const own = base.objects[0] as CompiledObject;
  const [rule] = own.rules;
  const changed: [string, Record<string, unknown>, RegExp][] = [
    ['a mode of a newer version', { mode: 'quarantine' }, /objects\.0\.mode: is no mode that this version knows/],
    ['no mode', { mode: undefined }, /objects\.0\.mode: is no mode/],
    ['another kind', { kind: 'mesh' }, /kind: is no kind/],
    ['another protocol', { protocol: 'quic' }, /protocol: is no protocol/],
    ['a name of several lines', { name: 'a\nb' }, /name: is no name/],
    ['no hash', { hash: null }, /hash: /],
    ['a port beyond all ports', { ports: [{ protocol: 'tcp', from: 1, to: 65_536 }] }, /ports\.0\.to: is no port/],
    ['a port of text', { ports: [{ protocol: 'tcp', from: '22 -j ACCEPT', to: 22 }] }, /ports\.0\.from: is no port/],
    ['half a port', { ports: [{ protocol: 'tcp', from: 22.5, to: 23 }] }, /ports\.0\.from: is no port/],
    ['a port upside down', { ports: [{ protocol: 'tcp', from: 23, to: 22 }] }, /ports\.0: ends before it begins/],
    ['a port of another protocol', { ports: [{ protocol: 'sctp', from: 1, to: 2 }] }, /ports\.0\.protocol: /],
    ['no ports', { ports: null }, /ports: is no list of ports/],
    ['another action', { rules: [{ ...rule, action: 'log' }] }, /rules\.0\.action: is no action/],
    ['a rule without ports', { rules: [{ ...rule, ports: undefined }] }, /rules\.0\.ports: /],
    ['conditions that are none', { rules: [{ ...rule, http: true }] }, /rules\.0\.http: /],
    ['a rule whose id is no name', { rules: [{ ...rule, id: 'x y' }] }, /rules\.0\.id: is no name/],
    ['rules that are no list', { rules: {} }, /rules: is no list of rules/],
    ['classes that are no lists', { classes: [0] }, /classes: is no list of classes/],
    ['a class that names no rule', { classes: [[1]] }, /classes: names a rule that is not there/],
    ['a class that names none at all', { classes: [['0']] }, /classes: names a rule/],
    ['sources that are a list', { sources: ['0a01'] }, /sources: is no table/],
    ['no sources', { sources: undefined }, /sources: /],
    ['a source of a wrong type', { sources: { '0a01': 7 } }, /sources: is no table/],
    ['a source under no address', { sources: { '10.1.0.0': '' } }, /sources: is no table/],
    ['a source under a name of another width', { sources: { '0a010': '' } }, /sources: is no table/],
    ['half a record of a source', { sources: { '*4': '0a010a010' } }, /sources: is no table/],
    ['a record of other digits', { sources: { '*4': '0a010a0G0000' } }, /sources: is no table/],
    ['a branch where none can be', { sources: { '*4': '+0a010a010000' } }, /sources: is no table/],
    ['a source of a class that is not there', { sources: { '*4': '0a010a010001' } }, /sources: is no table/],
    ['a failsafe that is none', { failsafe: '10.99.0.0/24' }, /failsafe: is no table/],
    ['a failsafe that is left out', { failsafe: undefined }, /failsafe: is no table/],
  ];
  for (const [name, change, words] of changed)
    t.match(await saidOf({ ...base, objects: [{ ...own, ...change }] }), words, name);
  for (const [name, change] of [
    ['an object that is none', { objects: [null] }],
    ['an object that is a list', { objects: [[]] }],
    ['a number below zero', { revision: -1 }],
    ['a hash that is none', { hash: 'x' }],
  ] as const)
    t.match(await saidOf({ ...base, ...change }), /^reading (?:the head of )?a policy/, name);
  t.equal(await saidOf({ ...base, objects: [{ ...own, owner: 'netops' }], more: 1 }), 'taken', 'more is passed over');
});

/** The same value with what stands at a path replaced; `at` counts every place in it. */
function replaced(value: unknown, at: { left: number }, by: unknown): unknown {
  at.left -= 1;
  if (at.left === -1) return by;
  if (Array.isArray(value)) return value.map((one) => replaced(one, at, by));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, replaced(one, at, by)]));
}

function placesIn(value: unknown): number {
  const inner = typeof value === 'object' && value !== null ? Object.values(value) : [];
  return inner.reduce((sum: number, one: unknown) => sum + placesIn(one), 1);
}

t.test('whatever one place of a policy holds, it is refused, or can be laid out and judged by', async (t) => {
  const [whole] = crowded().objects;
  const objects = [base.objects[0], whole].filter((one) => one !== undefined);
  const odd = fc.oneof(
    fc.constantFrom<unknown>(null, '', '0', -1, 0, 1, 1.5, 65_536, true, [], {}, [[]], [null], '__proto__', 'off\n'),
    fc.jsonValue({ maxDepth: 2 }),
  );
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...objects), fc.nat(), odd, async (object, nth, by) => {
      const left = nth % placesIn(object);
      const policy = { ...base, objects: [replaced(object, { left }, by) as CompiledObject] };
      const said = await saidOf(policy);
      assert.match(said, /^(?:taken$|reading a policy from the service: )/);
      if (said !== 'taken') return;
      taken += 1;
      try {
        hostLayout(policy, OPTIONS);
      } catch (thrown) {
        assert.ok(thrown instanceof EdgewardError, String(thrown));
      }
      const to = policy.objects[0]?.name ?? '';
      for (const from of ['10.1.1.2', '2001:db8:1:2:3:4:5:2', '192.0.2.1'])
        assert.ok(decide(viewOf(policy), { from, to, port: 'tcp/5432' }).reason !== 'internal-error');
    }),
    search(t, 400),
  );
  t.ok(taken > 0, `${taken} were taken`);
  t.equal(base.point, HOST);
});
