/**
 * What points keep of what an earlier process published, although the inventory says otherwise by now: members whose removal
 * waits for a person, and what a workload had whose newest description waits for room. Each point has its own. Only the
 * groups that it is about are concerned; whatever the inventory says after the start comes into force beside it.
 */
import type { MemberBook } from '@edgeward/policy-format';
import { excessOf } from '../membership/index.ts';
import { type MemberLoss, opened } from './judgement.ts';
import type { PointSlices } from './point-state.ts';
import type { ObjectGroups } from './rules-outline.ts';

export type Lists = (group: string) => readonly string[];

export interface KeptMembers {
  /** What was published at a point: keeps what an object lost too much of, and of the rest nothing. */
  compare(point: string, slices: PointSlices, before: MemberBook, now: Lists): MemberLoss[];
  /** What this workload had in the groups of a point, while it waits. */
  keepFor(workload: string, point: string, group: string, addresses: readonly string[]): void;
  /** Members as the point is to have them. `before`: what it is given now. */
  lists(point: string, slices: PointSlices, now: Lists, before: MemberBook | null): Lists;
  /** Lets go of what is decided. The answer: points that are to have something else now. */
  settle(
    slicesOf: (point: string) => PointSlices | undefined,
    /** Points that have another member or another version. */
    concerned: ReadonlySet<string>,
    now: Lists,
  ): string[];
  /** Lets go of everything that was lost. The answer: whose it was. */
  release(): string[];
  has(point: string): boolean;
  points(): Iterable<string>;
  losses(): MemberLoss[];
}

interface AtPoint {
  losses: MemberLoss[];
  /** By group of an allow rule: gone from it. */
  gone: Map<string, Set<string>>;
  /** By group of a deny rule: would be in it. */
  denied: Map<string, Set<string>>;
  /** By group: address and who had it. */
  waiting: Map<string, Map<string, string>>;
}

export function createKeptMembers(isWaiting: (workload: string) => boolean): KeptMembers {
  const points = new Map<string, AtPoint>();

  function at(point: string): AtPoint {
    const known = points.get(point) ?? { losses: [], gone: new Map(), denied: new Map(), waiting: new Map() };
    points.set(point, known);
    return known;
  }

  /** Whether something was let go of. */
  function settleWaiting({ waiting }: AtPoint): boolean {
    let changed = false;
    for (const [group, owners] of waiting) {
      for (const [address, workload] of owners) if (!isWaiting(workload)) changed = owners.delete(address) || changed;
      if (owners.size === 0) waiting.delete(group);
    }
    return changed;
  }

  return {
    compare(point, { slice }, before, now) {
      for (const object of opened(slice.rules)) {
        const { gone, denied } = lossSince(object, before, now);
        const loss = lossOf(object, before, gone, denied);
        if (loss.lost * 2 <= loss.before || loss.workloads <= 1) continue;
        const kept = at(point);
        kept.losses.push({ point, object: object.name, ...loss });
        for (const [group, addresses] of gone) kept.gone.set(group, addresses);
        for (const [group, addresses] of denied) kept.denied.set(group, joined(kept.denied.get(group), addresses));
      }
      return points.get(point)?.losses ?? [];
    },
    keepFor(workload, point, group, addresses) {
      const { waiting } = at(point);
      const owners = waiting.get(group) ?? new Map<string, string>();
      for (const address of addresses) owners.set(address, workload);
      waiting.set(group, owners);
    },
    lists(point, slices, now, before) {
      const kept = points.get(point);
      return kept === undefined ? now : (group) => listOf(kept, group, maxOf(slices, group), now(group), before);
    },
    settle(slicesOf, concerned, now) {
      const changed = new Set<string>();
      for (const [point, kept] of points) {
        const slices = slicesOf(point);
        if (settleWaiting(kept)) changed.add(point);
        if ((slices === undefined || concerned.has(point)) && settleLosses(kept, slices, now)) changed.add(point);
        if (kept.losses.length === 0 && kept.waiting.size === 0) points.delete(point);
      }
      return [...changed];
    },
    release() {
      const had = [...points].filter(([, { losses }]) => losses.length > 0).map(([point]) => point);
      for (const point of had) {
        const kept = at(point);
        if (kept.waiting.size === 0) points.delete(point);
        else points.set(point, { ...kept, losses: [], gone: new Map(), denied: new Map() });
      }
      return had;
    },
    has: (point) => points.has(point),
    points: () => points.keys(),
    losses: () => [...points.values()].flatMap(({ losses }) => losses),
  };
}

type Addresses = Map<string, Set<string>>;

function lossSince(
  { allow, deny }: ObjectGroups,
  before: MemberBook,
  now: Lists,
): { gone: Addresses; denied: Addresses } {
  const gone: Addresses = new Map();
  const denied: Addresses = new Map();
  for (const group of allow) {
    const was = before.members(group);
    const is = was.length === 0 ? null : new Set(now(group));
    const missing = was.filter((address) => is?.has(address) !== true);
    if (missing.length > 0) gone.set(group, new Set(missing));
  }
  const deniedBefore = new Set(deny.flatMap((group) => before.members(group)));
  const allowed = new Set(deny.length === 0 ? [] : allow.flatMap((group) => before.members(group)));
  for (const group of deny) {
    const more = now(group).filter((address) => allowed.has(address) && !deniedBefore.has(address));
    if (more.length > 0) denied.set(group, new Set(more));
  }
  return { gone, denied };
}

/** Which workload an address belonged to is not known any more: each address counts as one. */
function lossOf(
  { allow }: ObjectGroups,
  before: MemberBook,
  gone: Addresses,
  denied: Addresses,
): Pick<MemberLoss, 'before' | 'lost' | 'workloads'> {
  const addresses = new Set<string>();
  const refused = new Set([...denied.values()].flatMap((some) => [...some]));
  let total = 0;
  let lost = 0;
  for (const group of allow) {
    const was = before.members(group);
    total += was.length;
    for (const address of was) {
      if (gone.get(group)?.has(address) !== true && !refused.has(address)) continue;
      lost += 1;
      addresses.add(address);
    }
  }
  return { before: total, lost, workloads: addresses.size };
}

/** What is as the inventory says by itself is kept no more, and an object that misses no more than half is not held. */
function settleLosses(kept: AtPoint, slices: PointSlices | undefined, now: Lists): boolean {
  if (kept.losses.length === 0) return false;
  for (const [group, addresses] of kept.gone) for (const address of now(group)) addresses.delete(address);
  for (const [group, addresses] of kept.denied) {
    const is = new Set(now(group));
    for (const address of addresses) if (!is.has(address)) addresses.delete(address);
  }
  const objects = new Map(slices === undefined ? [] : opened(slices.slice.rules).map((it) => [it.name, it]));
  const was = kept.losses.length;
  kept.losses = kept.losses.flatMap((loss) => {
    const groups = objects.get(loss.object);
    const left = groups === undefined ? null : stillLost(groups, kept, now);
    return left === null || left.lost * 2 <= loss.before || left.workloads <= 1 ? [] : [{ ...loss, ...left }];
  });
  const named = kept.losses.flatMap(({ object }) => objects.get(object) ?? []);
  const allow = new Set(named.flatMap((groups) => groups.allow));
  const deny = new Set(named.flatMap((groups) => groups.deny));
  for (const group of kept.gone.keys()) if (!allow.has(group)) kept.gone.delete(group);
  for (const group of kept.denied.keys()) if (!deny.has(group)) kept.denied.delete(group);
  return kept.losses.length < was;
}

function stillLost({ allow, deny }: ObjectGroups, kept: AtPoint, now: Lists): Pick<MemberLoss, 'lost' | 'workloads'> {
  const refused = new Set(deny.flatMap((group) => [...(kept.denied.get(group) ?? [])]));
  const addresses = new Set<string>();
  let lost = 0;
  for (const group of allow) {
    const gone = kept.gone.get(group) ?? [];
    const denied = refused.size === 0 ? [] : now(group).filter((address) => refused.has(address));
    for (const address of [...gone, ...denied]) {
      lost += 1;
      addresses.add(address);
    }
  }
  return { lost, workloads: addresses.size };
}

function listOf(
  { gone, denied, waiting }: AtPoint,
  group: string,
  max: number | null,
  now: readonly string[],
  before: MemberBook | null,
): readonly string[] {
  const out = denied.get(group);
  const base = out === undefined ? now : now.filter((address) => !out.has(address));
  const kept = new Set([...(gone.get(group) ?? []), ...(waiting.get(group)?.keys() ?? [])]);
  if (kept.size === 0) return base;
  const known = new Set(before?.members(group));
  // What is kept may leave no room for what is new; and a point refuses the whole of a group that is too large.
  const lists = [
    joined(kept, base),
    joined(
      kept,
      base.filter((address) => known.has(address)),
    ),
  ];
  const fitting = lists.find((list) => isWithin(list, max));
  return fitting === undefined ? base : [...fitting];
}

function joined(some: Iterable<string> | undefined, more: Iterable<string>): Set<string> {
  return new Set([...(some ?? []), ...more]);
}

function isWithin(addresses: ReadonlySet<string>, max: number | null): boolean {
  const ipv6 = [...addresses].filter((address) => address.includes(':')).length;
  return excessOf({ workloads: 0, ipv4: addresses.size - ipv6, ipv6 }, max) === null;
}

/** The least of both documents: a point checks both. */
function maxOf({ slice, base }: PointSlices, id: string): number | null {
  const limits = [slice, base].flatMap((blobs) =>
    (blobs?.rules.groups ?? []).flatMap((group) => (group.id === id && group.max !== null ? [group.max] : [])),
  );
  return limits.length === 0 ? null : Math.min(...limits);
}
