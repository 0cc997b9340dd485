/** Which workloads have to stay outside where a group has more members than its rules allow. */
import { compareText, formatAddress } from '@edgeward/policy';
import type { MemberBook } from '@edgeward/policy-format';
import { excessOf, type Membership } from '../membership/index.ts';

/**
 * Those of whom something is not published in the group yet; and of the others too what is over the limit, where several share
 * an address. Where nothing is known of what was published, the first by name stay.
 */
export function withoutRoom(
  membership: Membership,
  { group, max }: { group: string; max: number },
  before: MemberBook | null,
): string[] {
  const members = new Set(membership.members(group));
  const published = before === null ? null : new Set(before.members(group));
  const taken = new Set<string>();
  const outside: string[] = [];
  const counts = { workloads: 0, ipv4: 0, ipv6: 0 };
  for (const name of [...membership.names()].sort(compareText)) {
    const own = (membership.workload(name)?.addresses ?? []).map(formatAddress).filter((it) => members.has(it));
    if (own.length === 0) continue;
    const isKnown = published === null || own.every((address) => published.has(address));
    const more = own.filter((address) => !taken.has(address));
    const ipv6 = more.filter((address) => address.includes(':')).length;
    const next = {
      workloads: counts.workloads + 1,
      ipv4: counts.ipv4 + more.length - ipv6,
      ipv6: counts.ipv6 + ipv6,
    };
    if (!isKnown || excessOf(next, max) !== null) {
      outside.push(name);
      continue;
    }
    Object.assign(counts, next);
    for (const address of more) taken.add(address);
  }
  return outside;
}
