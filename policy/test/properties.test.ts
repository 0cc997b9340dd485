/** What must hold for every policy directory, searched with fast-check. `EDGEWARD_RUNS=20` makes it a soak. */
import assert from 'node:assert/strict';
import {
  type CompileMemo,
  compilePoint,
  type Document,
  type DocumentMemo,
  type Finding,
  linkModel,
  lint,
  pointsOf,
  pointViews,
  type Resolution,
  resolve,
  runPolicyTests,
} from '@edgeward/policy';
import fc from 'fast-check';
import t from 'tap';
import { decideClaims } from './claims/decide-claims.ts';
import { checkDecide } from './claims/decide-property.ts';
import { asSource, digest } from './compiled.ts';
import { arbitraryEdits, type Directory, edited } from './edits.ts';
import { arbitraryDirectory, NOW } from './generators/documents.ts';
import { arbitraryInventory } from './generators/inventory.ts';
import { search } from './runs.ts';

t.test('decide on what a point receives says what the oracle says', async (t) => {
  checkDecide(search(t, 400));
});

for (const { name, check } of decideClaims) t.test(name, async () => check());

/** Whatever can be seen of a directory once it is compiled. */
interface Compiled {
  findings: Finding[];
  /** What points receive. */
  policies: string;
  /** Groups and results of tests; the bits of members follow the order of the documents. */
  beside: string;
  resolution: Resolution | null;
}

interface Reuse {
  documents: DocumentMemo;
  objects: CompileMemo;
  before: Resolution | undefined;
}

function compile({ documents, nowMs }: Omit<Directory, 'stock'>, reuse?: Reuse): Compiled {
  const findings: Finding[] = [];
  const model = linkModel(documents.map(asSource), findings, reuse?.documents);
  if (findings.some(({ severity }) => severity === 'error'))
    return { findings, policies: '', beside: '', resolution: null };
  const resolution = resolve(model, nowMs, reuse?.before);
  findings.push(...lint(resolution, { inventoryOnly: true }));
  const memo = reuse === undefined ? {} : { memo: reuse.objects };
  const policies = pointsOf(resolution).map((point) =>
    compilePoint(resolution, point, { revision: 0, digest, ...memo }),
  );
  const tests = runPolicyTests(resolution, pointViews(resolution, digest), true).results;
  const groups = Object.values(resolution.groups).sort((a, b) => (a.term < b.term ? -1 : 1));
  return { findings, policies: JSON.stringify(policies), beside: JSON.stringify([groups, tests]), resolution };
}

t.test('the order of documents changes neither a byte nor a hash', async (t) => {
  const shuffled = arbitraryDirectory().chain((documents) =>
    fc.tuple(
      fc.constant(documents),
      fc.shuffledSubarray(documents, { minLength: documents.length, maxLength: documents.length }),
    ),
  );
  fc.assert(
    fc.property(shuffled, ([one, other]) => {
      const nowMs = Date.parse(NOW);
      assert.equal(compile({ documents: other, nowMs }).policies, compile({ documents: one, nowMs }).policies);
    }),
    search(t, 200),
  );
});

t.test('compiling after edits with everything that can be reused equals compiling from scratch', async (t) => {
  const steps = { compiled: 0, refused: 0, reused: 0 };
  fc.assert(
    fc.property(
      arbitraryDirectory(),
      arbitraryInventory,
      arbitraryDirectory(),
      arbitraryEdits,
      (first, inventory, stock, edits) => {
        const known = new WeakMap<object, Document>();
        const reuse: Reuse = {
          documents: { get: (value) => known.get(value), set: (value, document) => known.set(value, document) },
          objects: { objects: Object.create(null) },
          before: undefined,
        };
        let directory: Directory = { documents: first.concat(inventory), stock, nowMs: Date.parse(NOW) };
        [null, ...edits].forEach((edit) => {
          if (edit !== null) directory = edited(directory, edit);
          const scratch = compile(directory);
          const incremental = compile(directory, reuse);
          assert.deepEqual(incremental.findings, scratch.findings);
          assert.equal(incremental.policies, scratch.policies);
          assert.equal(incremental.beside, scratch.beside);
          const old = reuse.before;
          const now = incremental.resolution;
          steps[now === null ? 'refused' : 'compiled'] += 1;
          // A refused edit leaves in place what was known before it, as the service does.
          if (now === null) return;
          if (old !== undefined && Object.keys(now.groups).some((term) => now.groups[term] === old.groups[term]))
            steps.reused += 1;
          reuse.before = now;
        });
      },
    ),
    search(t, 150),
  );
  t.comment(JSON.stringify(steps));
  t.ok(steps.compiled > steps.refused, 'most edits compile');
  t.ok(steps.reused > steps.compiled / 10, 'and a good part of them reuses a group of workloads');
});
