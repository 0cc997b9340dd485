import type { Interval } from './address.ts';
import { EVERYWHERE } from './address.ts';
import { isOver } from './endings.ts';
import type { Group } from './groups.ts';
import { addressesOfNetwork, groupOf, sameIntervals } from './groups.ts';
import { listedGroup } from './listed-members.ts';
import type { Model, Network, Placed, ProtectedObject } from './model.ts';
import type { GroupMembers, PointRules } from './point-rules.ts';
import type { Resolution, ResolvedRule } from './resolve.ts';
import { rulesByObject } from './resolve.ts';
import type { LinkedGroup, LinkedRule, LinkedSlice } from './slice-linking.ts';
import { linkSlice } from './slice-linking.ts';
import { compareText } from './text-order.ts';

/**
 * Rules documents and members at one instant: the last hop's way to a resolution, which gives the same bytes as
 * resolving the whole directory would. Selectors are not evaluated here, and no workload is known by name.
 */
export interface SliceResolution extends Resolution {
  /** What the next resolution goes by; nobody else's business. */
  slices: LinkedSlice[];
  byKey: Record<string, Group>;
}

/**
 * With an earlier resolution at hand, whatever has not changed is taken over. A list of members that was handed out
 * must not be changed afterwards; handing out the same list again says most cheaply that nothing moved.
 */
export function resolveSlice(
  rules: readonly PointRules[],
  members: GroupMembers,
  nowMs: number,
  before?: SliceResolution,
): SliceResolution {
  const known: Record<string, LinkedSlice> = Object.create(null);
  (before?.slices ?? []).forEach((it) => {
    known[it.source.point] = it;
  });
  const slices = rules.map((it) => linkSlice(it, known[it.point]));
  const byKey = groupsByKey(slices, members, nowMs, before);
  const objects = sortedObjects(slices);
  const resolved = resolveRules(slices, objects, byKey, nowMs);
  return {
    model: modelOf(slices),
    nowMs,
    objects,
    rules: resolved,
    naming: rulesByObject(objects, resolved),
    groups: groupsByTerm(slices, byKey),
    workloads: [],
    order: { addresses: [], starts: new Uint32Array(1), ranks: new Uint32Array(0) },
    slices,
    byKey,
  };
}

function groupsByKey(
  slices: LinkedSlice[],
  members: GroupMembers,
  nowMs: number,
  before: SliceResolution | undefined,
): Record<string, Group> {
  const out: Record<string, Group> = Object.create(null);
  slices.forEach((slice) => {
    slice.groups.forEach((it) => {
      if (out[it.key] !== undefined) return;
      // A network that was edited, as to when it ends, is another group and may hold the same addresses all the same.
      const old = before?.byKey[it.key] ?? before?.groups[it.formatted];
      out[it.key] = resolveGroup(it, members, nowMs, old);
    });
  });
  return out;
}

function resolveGroup(it: LinkedGroup, members: GroupMembers, nowMs: number, old: Group | undefined): Group {
  if (it.term.kind === 'workloads') return listedGroup(it.formatted, members(it.source.id), old);
  const intervals = addressesOf(it, nowMs);
  return old !== undefined && sameIntervals(old.intervals, intervals) ? old : groupOf(it.formatted, intervals);
}

function addressesOf(it: LinkedGroup, nowMs: number): Interval[] {
  if (it.network !== null) return addressesOfNetwork(it.network.value, nowMs);
  return it.term.kind === 'cidr' ? [it.term.interval] : EVERYWHERE;
}

function sortedObjects(slices: LinkedSlice[]): ProtectedObject[] {
  const out: ProtectedObject[] = [];
  slices.forEach((slice) => {
    slice.objects.forEach((object) => {
      out.push(object);
    });
  });
  return out.sort((a, b) => compareText(a.name, b.name));
}

function resolveRules(
  slices: LinkedSlice[],
  objects: ProtectedObject[],
  byKey: Record<string, Group>,
  nowMs: number,
): ResolvedRule[] {
  const places: Record<string, number> = Object.create(null);
  objects.forEach((object, i) => {
    places[`${object.point} ${object.name}`] = i;
  });
  const out: ResolvedRule[] = [];
  slices.forEach((slice) => {
    const groups = slice.groups.map((it) => byKey[it.key] as Group);
    slice.rules.forEach((it) => {
      const to = it.to.map((i) => places[`${slice.source.point} ${(slice.objects[i] as ProtectedObject).name}`]);
      out.push(resolveRule(it, slice, groups, to as number[], nowMs));
    });
  });
  return out.sort((a, b) => compareText(a.rule.id, b.rule.id));
}

function resolveRule(it: LinkedRule, slice: LinkedSlice, groups: Group[], to: number[], nowMs: number): ResolvedRule {
  return {
    rule: it.rule,
    policy: slice.policy,
    groups: it.from.map((i) => groups[i] as Group),
    objects: to,
    ports: it.rule.ports,
    ended: isOver(it.rule.untilMs, nowMs),
  };
}

/** What of a policy directory can be known from here: what ends, and which networks there are. */
function modelOf(slices: LinkedSlice[]): Model {
  const seen: Record<string, true> = Object.create(null);
  const networks: Placed<Network>[] = [];
  slices.forEach((slice) => {
    slice.groups.forEach((it) => {
      if (it.network === null || seen[it.key] === true) return;
      seen[it.key] = true;
      networks.push(it.network);
    });
  });
  return {
    workloads: [],
    points: [],
    networks: networks.sort((a, b) => compareText(a.value.name, b.value.name)),
    services: [],
    virtualServers: [],
    policies: slices.map((slice) => slice.policy),
  };
}

function groupsByTerm(slices: LinkedSlice[], byKey: Record<string, Group>): Record<string, Group> {
  const out: Record<string, Group> = Object.create(null);
  slices.forEach((slice) => {
    slice.groups.forEach((it) => {
      out[it.formatted] = byKey[it.key] as Group;
    });
  });
  return out;
}
