/**
 * Documents that people sign, with who is where, as sides of a comparison. Labels and addresses of workloads come from the
 * inventory, which nobody signs: they make a change easier to read, and no byte of what is signed depends on them.
 */
import { type Bundle, inventoryOf, sourceDocumentsOf } from '@edgeward/central-store';
import {
  type ChangeBounds,
  compilePoints,
  type Finding,
  type FlowSide,
  flowChanges,
  linkInventory,
  linkModel,
  type PolicyChanges,
  pointsOf,
  pointViews,
  type Resolution,
  resolve,
  runPolicyTests,
  type SourceDocument,
  withInventory,
} from '@edgeward/policy';
import { createDirectoryReader } from '@edgeward/policy-source';
import { sha256Hex } from '@edgeward/runtime';
import type { StoreClient } from '../client/store-client.ts';

export interface Inventory {
  documents: SourceDocument[];
  /** For people: `as the store says`, `from DIR`. */
  from: string;
}

/** A directory's own, where one is named; else what the store has. Throws EDW_ERR_POLICY_DIR. */
export async function readInventory(client: StoreClient, directory: string | undefined): Promise<Inventory> {
  if (directory !== undefined) {
    const { documents } = await createDirectoryReader(directory).read();
    return { documents: inventoryOf(documents), from: `from ${directory}` };
  }
  const documents = (await client.inventory()).map((value) => ({
    file: 'inventory',
    value,
    locate: () => ({ line: 1, column: 1 }),
  }));
  return { documents: inventoryOf(documents), from: 'as the store says' };
}

export interface Compared {
  changes: PolicyChanges;
  /** What the new policy fails at with this inventory: tests, and points that it can not be compiled for. */
  failures: Finding[];
}

export function compareBundles(
  before: Bundle | null,
  after: Bundle,
  inventory: Inventory,
  { nowMs, bounds }: { nowMs: number; bounds: ChangeBounds },
): Compared {
  // Faults of the inventory are told where it is read; here what is left of it does.
  const workloads = linkInventory(inventory.documents, []);
  const resolutionOf = (bundle: Bundle): Resolution =>
    resolve(withInventory(linkModel(sourceDocumentsOf(bundle), []), workloads), nowMs);
  const failures: Finding[] = [];
  const is = sideOf(resolutionOf(after), failures);
  const was = before === null ? null : sideOf(resolutionOf(before), []);
  const { findings } = runPolicyTests(is.resolution, pointViews(is.resolution, sha256Hex), false);
  failures.push(...findings.filter(({ severity }) => severity === 'error'));
  return { changes: flowChanges(was, is, bounds), failures };
}

function sideOf(resolution: Resolution, failures: Finding[]): FlowSide {
  const { policies, faults } = compilePoints(resolution, pointsOf(resolution), { revision: 0, digest: sha256Hex });
  failures.push(...faults);
  return { resolution, policies };
}
