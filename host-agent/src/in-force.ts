/**
 * What the kernel itself says is in force, of both families: of two revisions the older one, as a policy is in force only
 * when both have it. Reads, and writes nothing.
 */

import { countersIn } from '../driver/deny-counters.ts';
import type { Netfilter } from '../driver/index.ts';
import { type FamilyMeta, readMeta } from '../driver/meta.ts';

export interface InForce {
  revision: number;
  /** Of the policy as it was applied. */
  hash: string;
  generation: number;
  /** What samples carry: 8 hex. */
  sampled: string;
  /** Digests of the rules as they were written, `16hex:16hex`, zeros for a family that is off; null where one has none. */
  rules: string | null;
  /** The highest revision of either family. */
  highest: number;
  /** Hashes in either family: two in the middle of an apply. */
  hashes: string[];
  /** What the policy in force denies is dropped, in either family. */
  enforces: boolean;
}

/** Null where there are no rules of ours. */
export async function readInForce(netfilter: Netfilter): Promise<InForce | null> {
  const metas: (FamilyMeta | null)[] = [];
  let enforces = false;
  for (const family of netfilter.families) {
    const rules = await netfilter.rules(family);
    const meta = readMeta(rules);
    metas.push(meta);
    enforces ||= countersIn(family, rules).some(
      ({ verdict, generation }) => verdict === 'deny' && generation === meta?.generation,
    );
  }
  const found = metas.flatMap((meta) => meta ?? []);
  const [first] = found.toSorted((a, b) => a.revision - b.revision);
  if (first === undefined) return null;
  const { revision, hash, generation, sampled } = first;
  return {
    revision,
    hash,
    generation,
    sampled,
    rules: found.length === metas.length ? digests(found) : null,
    highest: Math.max(...found.map((meta) => meta.revision)),
    hashes: found.map((meta) => meta.hash),
    enforces,
  };
}

function digests(found: readonly FamilyMeta[]): string {
  return [found[0], found[1]].map((meta) => meta?.digest ?? '0'.repeat(16)).join(':');
}
