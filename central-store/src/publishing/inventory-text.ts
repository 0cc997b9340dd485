/** Names, labels and addresses of all workloads in force, as Workload documents, one a line. */
import { setImmediate } from 'node:timers/promises';
import { formatAddress } from '@edgeward/policy';
import type { Membership } from '../membership/index.ts';

export type Workloads = Pick<Membership, 'workload' | 'names'>;

/** Workloads between two turns of others. */
const AT_ONCE = 2_000;

export async function* inventoryText(workloads: Workloads): AsyncGenerator<Buffer> {
  let lines: string[] = [];
  for (const name of [...workloads.names()]) {
    const is = workloads.workload(name);
    if (is === null) continue;
    const addresses = is.addresses.map(formatAddress);
    lines.push(`${JSON.stringify({ kind: 'Workload', name, labels: is.labels, addresses })}\n`);
    if (lines.length < AT_ONCE) continue;
    yield Buffer.from(lines.join(''));
    lines = [];
    await setImmediate();
  }
  yield Buffer.from(lines.join(''));
}
