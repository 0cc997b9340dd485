/** `decide` on what a point receives against the oracle, which reads the documents again for each question. */
import assert from 'node:assert/strict';
import type { CompiledPolicy, Flow, LoadedPolicy } from '@edgeward/policy';
import { compilePoint, decide, pointsOf, viewOf } from '@edgeward/policy';
import fc from 'fast-check';
import { compileDocuments, digest } from '../compiled.ts';
import { arbitraryDirectory, arbitraryFlow, NOW } from '../generators/documents.ts';
import { arbitraryInventory } from '../generators/inventory.ts';
import { oracle } from '../oracle/oracle.ts';
import type { Search } from './claim.ts';

const FLOWS = 12;

/** A directory, now and then with so many workloads that a set of them takes several words. */
const arbitraryCase: fc.Arbitrary<[unknown[], Flow[]]> = fc
  .tuple(arbitraryDirectory(), arbitraryInventory)
  .chain(([documents, inventory]) => {
    const all = documents.concat(inventory);
    return fc.tuple(fc.constant(all), fc.array(arbitraryFlow(all), { minLength: FLOWS, maxLength: FLOWS }));
  });

/** Through bytes and back, as every point gets it. */
const received = (policy: CompiledPolicy): LoadedPolicy => viewOf(JSON.parse(JSON.stringify(policy)) as CompiledPolicy);

export function checkDecide(search: Search): void {
  fc.assert(
    fc.property(arbitraryCase, ([documents, flows]) => {
      const { resolution, findings } = compileDocuments(documents, NOW);
      assert.deepEqual(
        findings.filter(({ severity }) => severity === 'error'),
        [],
      );
      const views = pointsOf(resolution).map((point) =>
        received(compilePoint(resolution, point, { revision: 3, digest })),
      );
      flows.forEach((flow) => {
        const view = views.find((it) => it.object(flow.to) !== null) ?? (views[0] as LoadedPolicy);
        assert.deepEqual(decide(view, flow), { ...oracle(documents, NOW, flow), revision: 3 }, JSON.stringify(flow));
      });
    }),
    search,
  );
}
