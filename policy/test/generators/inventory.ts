/** Workloads beside a directory, so many that a set of them takes more than one machine word; mostly none at all. */
import fc from 'fast-check';
import { arbitraryAddress } from './addresses.ts';
import { arbitraryLabels } from './selectors.ts';

const arbitraryExtra = fc.record({
  kind: fc.constant('Workload'),
  labels: arbitraryLabels,
  addresses: fc.array(arbitraryAddress, { maxLength: 2 }),
});

export const arbitraryInventory: fc.Arbitrary<unknown[]> = fc
  .oneof(
    { weight: 4, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(arbitraryExtra, { minLength: 25, maxLength: 70, size: 'max' }) },
  )
  .map((extra) => extra.map((workload, index) => structuredClone({ ...workload, name: `extra-${index + 1}` })));
