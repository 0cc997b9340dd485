/** What an edit takes from many objects alike is found out once, and for each of them it is what judging it alone gives. */
import assert from 'node:assert/strict';
import {
  type CompiledPolicy,
  type CompileMemo,
  compilePoints,
  type KnownLoss,
  lostFlows,
  type Model,
  pointsOf,
  type Resolution,
  resolve,
} from '@edgeward/policy';
import fc from 'fast-check';
import t from 'tap';
import { host, network, policy, rule, workload } from './cases/case.ts';
import { digest, soundModel } from './compiled.ts';
import { arbitraryEdits, edited } from './edits.ts';
import { arbitraryDirectory, NOW } from './generators/documents.ts';
import { search } from './runs.ts';

const NOW_MS = Date.parse(NOW);

/** One directory before and after an edit, compiled as the service does it. */
interface Edit {
  before: Resolution;
  was: CompiledPolicy[];
  is: CompiledPolicy[];
}

function editOf(before: Model, after: Model, nowMs: number): Edit {
  const memo: CompileMemo = { objects: Object.create(null) };
  const options = { revision: 0, digest, memo };
  const [old, now] = [resolve(before, nowMs), resolve(after, nowMs)];
  const points = [...new Set([...pointsOf(old), ...pointsOf(now)])];
  const was = compilePoints(old, points, options).policies;
  return { before: old, was, is: compilePoints(now, points, options).policies };
}

/** Of all points, by object. */
function lossesOf({ before, was, is }: Edit, changed: (name: string) => boolean, known: KnownLoss[]): object {
  const losses = was.flatMap((policy, i) =>
    lostFlows(before, policy.objects, is[i]?.objects ?? [], changed, known).map(
      ({ object, lostShare }) => [object, lostShare] as const,
    ),
  );
  return Object.fromEntries(losses);
}

function lossesAlone({ before, was, is }: Edit, changed: (name: string) => boolean): object {
  const losses = was.flatMap((policy, i) =>
    policy.objects.flatMap((object) => lostFlows(before, [object], is[i]?.objects ?? [], changed)),
  );
  return Object.fromEntries(losses.map(({ object, lostShare }) => [object, lostShare]));
}

t.test('after any edit each object loses what it loses when it is judged alone', async (t) => {
  const seen = { losses: 0, edits: 0 };
  fc.assert(
    fc.property(arbitraryDirectory(), arbitraryDirectory(), arbitraryEdits, (documents, stock, edits) => {
      let directory = { documents, stock, nowMs: NOW_MS };
      const first = soundModel(documents);
      for (const edit of edits) directory = edited(directory, edit);
      const last = soundModel(directory.documents);
      if (first === null || last === null) return;
      const edit = editOf(first, last, directory.nowMs);
      const changed = (name: string): boolean => name.endsWith('1');
      const alone = lossesAlone(edit, changed);
      assert.deepEqual(lossesOf(edit, changed, []), alone);
      seen.edits += 1;
      seen.losses += Object.keys(alone).length;
    }),
    search(t, 300),
  );
  t.comment(JSON.stringify(seen));
  t.ok(seen.losses > seen.edits / 10, 'and a good part of the edits takes something away');
});

const hosts = Array.from({ length: 6 }, (_, i) =>
  host({ name: `db-${i}`, labels: { app: 'db', of: `${i}` }, addresses: [`10.40.0.${i}`], point: `host-${i}` }),
);
const crm = (from: number, to: number): unknown[] =>
  Array.from({ length: to - from }, (_, i) =>
    workload({ name: `crm-${from + i}`, addresses: [`10.30.1.${from + i}`] }),
  );
const branches = [network()];
const fromBranches = { from: [{ network: 'branches' }] };
const each = (rest: (i: number) => Record<string, unknown>): unknown =>
  policy(...hosts.map((_, i) => rule({ id: `r${i}`, to: `of == '${i}'`, ...rest(i) })));
const all = (rest: Record<string, unknown>): unknown => policy(rule({ to: "app == 'db'", ...rest }));

const cases = [
  {
    name: 'one rule of all hosts, of a network that is cut in half',
    before: [...branches, all(fromBranches)],
    after: [network({ cidrs: ['192.0.2.0/25'] }), all(fromBranches)],
    comparisons: 1,
    shares: [0.5, 0.5, 0.5, 0.5, 0.5, 0.5],
  },
  {
    name: 'a rule for each host, by other names',
    before: [...branches, each(() => fromBranches)],
    after: [network({ cidrs: ['192.0.2.0/26'] }), each(() => fromBranches)],
    comparisons: 1,
    shares: [0.75, 0.75, 0.75, 0.75, 0.75, 0.75],
  },
  {
    name: 'the same sources, on ports of which some lose all and some one of two',
    before: [...branches, each((i) => ({ ...fromBranches, ports: i < 3 ? ['tcp/22'] : ['tcp/22', 'tcp/80'] }))],
    after: [...branches, each((i) => ({ ...fromBranches, ports: i < 3 ? ['tcp/80'] : ['tcp/22'] }))],
    comparisons: 2,
    shares: [1, 1, 1, 0.5, 0.5, 0.5],
  },
  {
    name: 'members of a group that go',
    before: [...crm(0, 10), all({ from: [{ workloads: "app == 'crm'" }] })],
    after: [...crm(4, 10), all({ from: [{ workloads: "app == 'crm'" }] })],
    comparisons: 1,
    shares: [0.4, 0.4, 0.4, 0.4, 0.4, 0.4],
  },
  {
    name: 'hosts of two rules, each of which loses its own',
    before: [
      ...branches,
      ...crm(0, 10),
      each((i) => (i < 3 ? fromBranches : { from: [{ workloads: "app == 'crm'" }] })),
    ],
    after: [
      network({ cidrs: ['192.0.2.0/25'] }),
      ...crm(0, 2),
      each((i) => (i < 3 ? fromBranches : { from: [{ workloads: "app == 'crm'" }] })),
    ],
    comparisons: 2,
    shares: [0.5, 0.5, 0.5, 0.8, 0.8, 0.8],
  },
];

for (const { name, before, after, comparisons, shares } of cases) {
  t.test(name, async (t) => {
    const models = [before, after].map((documents) => soundModel([...hosts, ...documents]) as Model);
    const edit = editOf(models[0] as Model, models[1] as Model, NOW_MS);
    const known: KnownLoss[] = [];
    const losses = lossesOf(edit, () => true, known) as Record<string, number>;
    t.strictSame(
      hosts.map((_, i) => losses[`db-${i}`]),
      shares,
    );
    t.equal(known.length, comparisons, 'so many were compared');
  });
}
