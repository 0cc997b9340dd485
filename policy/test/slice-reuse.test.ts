/** A resolution of rules documents beside an earlier one: the same bytes, and nothing made anew that an edit leaves alone. */
import assert from 'node:assert/strict';
import {
  type CompileMemo,
  compilePoint,
  type Model,
  type PointRules,
  resolve,
  resolveSlice,
  type SliceResolution,
  slicePolicy,
} from '@edgeward/policy';
import fc from 'fast-check';
import t from 'tap';
import { network, policy, rule, server } from './cases/case.ts';
import { digest, received, soundModel } from './compiled.ts';
import { arbitraryEdits, type Directory, edited } from './edits.ts';
import { arbitraryDirectory, NOW } from './generators/documents.ts';
import { arbitraryInventory } from './generators/inventory.ts';
import { membersOf, travelled } from './members.ts';
import { search } from './runs.ts';

const slicesOf = (...documents: unknown[]): PointRules[] => slicePolicy(soundModel(documents) as Model, digest);

t.test(
  'with what was there before, an edit gives the same bytes and leaves alone what it does not touch',
  async (t) => {
    const steps = { compiled: 0, kept: 0 };
    fc.assert(
      fc.property(
        arbitraryDirectory(),
        arbitraryInventory,
        arbitraryDirectory(),
        arbitraryEdits,
        (first, inventory, stock, edits) => {
          let directory: Directory = { documents: first.concat(inventory), stock, nowMs: Date.parse(NOW) };
          let before: SliceResolution | undefined;
          const memo: CompileMemo = { objects: Object.create(null) };
          for (const edit of [null, ...edits]) {
            if (edit !== null) directory = edited(directory, edit);
            const model = soundModel(directory.documents);
            if (model === null) continue;
            const direct = resolve(model, directory.nowMs);
            const now = resolveSlice(travelled(slicePolicy(model, digest)), membersOf(direct), directory.nowMs, before);
            assert.equal(received(now, memo), received(direct));
            steps.compiled += 1;
            for (const [term, group] of Object.entries(now.groups)) {
              const old = before?.groups[term];
              if (old === undefined || JSON.stringify(old.intervals) !== JSON.stringify(group.intervals)) continue;
              assert.equal(old.intervals, group.intervals, 'the same array');
              steps.kept += 1;
            }
            before = now;
          }
        },
      ),
      search(t, 100),
    );
    t.comment(JSON.stringify(steps));
    t.ok(steps.kept > steps.compiled, 'and most groups stay');
  },
);

t.test('a network that ends later, or is written otherwise, and holds the same addresses costs nothing', async (t) => {
  const at = (rest: Record<string, unknown>, before?: SliceResolution): SliceResolution =>
    resolveSlice(
      slicesOf(server(), network(rest), policy(rule({ from: [{ network: 'branches' }] }))),
      () => [],
      Date.parse(NOW),
      before,
    );
  const memo: CompileMemo = { objects: Object.create(null) };
  const first = at({ expires: '2027-01-01T00:00:00Z' });
  const compiled = compilePoint(first, 'edge-1', { revision: 1, digest, memo });
  const later = at({ expires: '2028-01-01T00:00:00Z', except: ['203.0.113.7'] }, first);
  t.equal(compilePoint(later, 'edge-1', { revision: 2, digest, memo }).objects[0], compiled.objects[0]);
  const narrower = at({ except: ['192.0.2.7'] }, later);
  t.not(compilePoint(narrower, 'edge-1', { revision: 3, digest, memo }).objects[0]?.hash, compiled.objects[0]?.hash);
  const ended = at({ expires: '2026-01-01T00:00:00Z' }, narrower);
  t.strictSame(ended.groups['network branches']?.intervals, [], 'and what has ended is nobody, whatever it held');
});
