/** Names, labels and addresses of all workloads in force, as Workload documents: one a line, or as policy is judged with them. */
import { setImmediate } from 'node:timers/promises';
import { formatAddress, type SourceDocument } from '@edgeward/policy';
import type { Membership } from '../membership/index.ts';

export type Workloads = Pick<Membership, 'workload' | 'names'>;

/** For the tests of proposed policy: what waits, or can't be read, counts for them no more than it does at the points. */
export function* workloadDocuments(workloads: Workloads): Generator<SourceDocument> {
  for (const name of [...workloads.names()]) {
    const value = workloadDocument(workloads, name);
    if (value !== null) yield { file: `inventory/${name}`, value, locate: () => ({ line: 1, column: 1 }) };
  }
}

function workloadDocument(workloads: Workloads, name: string): object | null {
  const is = workloads.workload(name);
  if (is === null) return null;
  return { kind: 'Workload', name, labels: { ...is.labels }, addresses: is.addresses.map(formatAddress) };
}

/** Workloads between two turns of others. */
const AT_ONCE = 2_000;

export async function* inventoryText(workloads: Workloads): AsyncGenerator<Buffer> {
  let lines: string[] = [];
  for (const name of [...workloads.names()]) {
    const document = workloadDocument(workloads, name);
    if (document === null) continue;
    lines.push(`${JSON.stringify(document)}\n`);
    if (lines.length < AT_ONCE) continue;
    yield Buffer.from(lines.join(''));
    lines = [];
    await setImmediate();
  }
  yield Buffer.from(lines.join(''));
}
