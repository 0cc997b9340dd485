import type { Interval } from './address.ts';
import { EVERYWHERE, formatAddress, successor } from './address.ts';
import type { PortRange } from './compiled.ts';
import { contains, subtract, union } from './interval.ts';
import type { AddressOrder, LabelIndex } from './label-index.ts';
import { eachBit, indexLabels, orderAddresses } from './label-index.ts';
import type { Model, Network, Placed, Policy, ProtectedObject, Rule, Service, SourceTerm, Workload } from './model.ts';
import { EVERY_PORT, normalisePorts } from './ports.ts';
import type { Selector } from './selector.ts';
import { formatSelector, selects } from './selector.ts';

/**
 * A model at one instant: which addresses each `from` term stands for, which objects each `to` selects, what has
 * ended. Groups are shared by all rules whose terms are equal, and pairs of source and object are never formed.
 */
export interface Resolution {
  model: Model;
  nowMs: number;
  /** Sorted by name. */
  objects: ProtectedObject[];
  /** Sorted by id. */
  rules: ResolvedRule[];
  groups: Record<string, Group>;
  workloads: Workload[];
  order: AddressOrder;
}

export interface ResolvedRule {
  rule: Rule;
  policy: Placed<Policy>;
  /** One for each term of `from`. */
  groups: Group[];
  /** Places in `objects`. */
  objects: number[];
  /** Ports and services joined; null: every port of the object. */
  ports: PortRange[] | null;
  /** `until` has passed. */
  ended: boolean;
}

type WorkloadTerm = Extract<SourceTerm, { kind: 'workloads' }>;

/** The addresses that one `from` term stands for. */
export interface Group {
  /** The normalised term; its hash is the group's name. */
  term: string;
  /** Sorted, disjoint. */
  intervals: Interval[];
  /** Which workloads are members, as bits over `Resolution.workloads`; null where the term names no workloads. */
  members: Uint32Array | null;
  /** How many of them have an address inside the fence. */
  memberCount: number;
  /** Names of workloads left out because all their addresses are outside the fence, at most ten. */
  fencedOut: string[];
}

/** With an earlier resolution at hand, a group that no changed workload belongs or belonged to is taken over. */
export function resolve(model: Model, nowMs: number, before?: Resolution): Resolution {
  const workloads = model.workloads.map((it) => it.value);
  const objects = protectedObjects(model);
  const services = byName<Service>(model.services);
  const rules = sortedRules(model);
  const changes = before === undefined ? null : changedWorkloads(before.workloads, workloads);
  const order = before !== undefined && sameAddresses(changes) ? before.order : orderAddresses(workloads);
  const groups = resolveGroups({ model, nowMs, workloads, rules, changes, order, before });
  const selected: Record<string, number[]> = Object.create(null);
  const resolved = rules.map((it) => ({
    rule: it.rule,
    policy: it.policy,
    groups: it.rule.from.map((term) => groups[formatTerm(term)] as Group),
    objects: selectObjects(it.rule.to, objects, selected),
    ports: rulePorts(it.rule, services),
    ended: it.rule.untilMs !== null && it.rule.untilMs <= nowMs,
  }));
  return { model, nowMs, objects, rules: resolved, groups, workloads, order };
}

interface GroupInputs {
  model: Model;
  nowMs: number;
  workloads: Workload[];
  rules: { rule: Rule }[];
  changes: Change[] | null;
  order: AddressOrder;
  before: Resolution | undefined;
}

function resolveGroups(inputs: GroupInputs): Record<string, Group> {
  const networks = byName<Network>(inputs.model.networks);
  const groups: Record<string, Group> = Object.create(null);
  const fresh: { key: string; term: WorkloadTerm }[] = [];
  const seen: Record<string, true> = Object.create(null);
  inputs.rules.forEach((it) => {
    it.rule.from.forEach((term) => {
      const key = formatTerm(term);
      if (seen[key] === true) return;
      seen[key] = true;
      const old = inputs.before === undefined ? undefined : inputs.before.groups[key];
      if (term.kind !== 'workloads') groups[key] = addressGroup(key, term, networks, inputs.nowMs, old);
      else if (old !== undefined && isUntouched(term.selector, inputs.changes)) groups[key] = old;
      else fresh.push({ key, term });
    });
  });
  const index = indexLabels(
    inputs.workloads,
    fresh.map((it) => it.term.selector),
  );
  fresh.forEach((it) => {
    groups[it.key] = workloadGroup(it.key, it.term, index, inputs.order, inputs.workloads);
  });
  return groups;
}

/** One workload as it was and as it is, in the same place of both lists. */
interface Change {
  was: Workload;
  is: Workload;
}

/** Beyond this many, looking at each change for each group costs more than selecting anew. */
const MANY_CHANGES = 256;

/** What differs between two lists of the same workloads; null where they are not the same workloads, or differ a lot. */
function changedWorkloads(before: Workload[], now: Workload[]): Change[] | null {
  if (before.length !== now.length) return null;
  const changes: Change[] = [];
  for (let i = 0; i < now.length; i += 1) {
    const was = before[i] as Workload;
    const is = now[i] as Workload;
    if (was === is) continue;
    if (changes.length === MANY_CHANGES) return null;
    changes.push({ was, is });
  }
  return changes;
}

function isUntouched(selector: Selector, changes: Change[] | null): boolean {
  if (changes === null) return false;
  return !changes.some((it) => selects(selector, it.was.labels) || selects(selector, it.is.labels));
}

function sameAddresses(changes: Change[] | null): boolean {
  return changes !== null && changes.every((it) => it.was.addresses.join() === it.is.addresses.join());
}

/** The next instant at which `expires` or `until` changes what is compiled, or null. */
export function nextChangeMs(model: Model, nowMs: number): number | null {
  let next: number | null = null;
  const consider = (ms: number | null): void => {
    if (ms !== null && ms > nowMs && (next === null || ms < next)) next = ms;
  };
  model.networks.forEach((network) => {
    consider(network.value.expiresMs);
  });
  model.policies.forEach((policy) => {
    policy.value.rules.forEach((rule) => {
      consider(rule.untilMs);
    });
  });
  return next;
}

function protectedObjects(model: Model): ProtectedObject[] {
  const management: Record<string, boolean> = Object.create(null);
  model.points.forEach((point) => {
    management[point.value.name] = point.value.management.length > 0;
  });
  const out: ProtectedObject[] = model.virtualServers.map((it) => {
    const server = it.value;
    return {
      name: server.name,
      kind: 'virtual-server',
      labels: server.labels,
      point: server.point,
      bind: server.bind,
      ports: server.ports,
      protocol: server.protocol,
      trustedProxies: server.trustedProxies,
      mode: server.mode,
      document: it.document,
    };
  });
  model.workloads.forEach((it) => {
    const workload = it.value;
    if (workload.point === null) return;
    // A host without a management list could lock its operators out, so it is observed only.
    const guarded = workload.mode !== 'enforce' || management[workload.point] === true;
    out.push({
      name: workload.name,
      kind: 'workload',
      labels: workload.labels,
      point: workload.point,
      bind: workload.name,
      ports: workload.ports ?? EVERY_PORT,
      protocol: 'tcp',
      trustedProxies: [],
      mode: guarded ? workload.mode : 'observe',
      document: it.document,
    });
  });
  return out.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function sortedRules(model: Model): { rule: Rule; policy: Placed<Policy> }[] {
  const out: { rule: Rule; policy: Placed<Policy> }[] = [];
  model.policies.forEach((policy) => {
    policy.value.rules.forEach((rule) => {
      out.push({ rule, policy });
    });
  });
  return out.sort((a, b) => (a.rule.id < b.rule.id ? -1 : a.rule.id > b.rule.id ? 1 : 0));
}

/** The term in one canonical spelling; `max` checks a group and is no part of it. */
function formatTerm(term: SourceTerm): string {
  if (term.kind === 'any') return 'any';
  if (term.kind === 'network') return `network ${term.name}`;
  if (term.kind === 'cidr') return `cidr ${formatInterval(term.interval)}`;
  const fence = term.within === null ? '' : ` within ${union(term.within).map(formatInterval).join(' ')}`;
  return `workloads ${formatSelector(term.selector)}${fence}`;
}

function formatInterval(interval: Interval): string {
  if (interval.lo === interval.hi) return formatAddress(interval.lo);
  return `${formatAddress(interval.lo)}-${formatAddress(interval.hi)}`;
}

function selectObjects(to: Selector, objects: ProtectedObject[], selected: Record<string, number[]>): number[] {
  const key = formatSelector(to);
  const known = selected[key];
  if (known !== undefined) return known;
  const out: number[] = [];
  objects.forEach((object, i) => {
    if (selects(to, object.labels)) out.push(i);
  });
  selected[key] = out;
  return out;
}

function rulePorts(rule: Rule, services: Record<string, Service>): PortRange[] | null {
  if (rule.ports === null) return null;
  let ports = rule.ports;
  rule.services.forEach((name) => {
    ports = ports.concat(services[name]?.ports ?? []);
  });
  return normalisePorts(ports);
}

function addressGroup(
  key: string,
  term: SourceTerm,
  networks: Record<string, Network>,
  nowMs: number,
  old?: Group,
): Group {
  const intervals = addressesOf(term, networks, nowMs);
  // The same array where nothing changed: what was compiled from it is then still good.
  const same = old !== undefined && old.members === null && sameIntervals(old.intervals, intervals);
  return { term: key, intervals: same ? old.intervals : intervals, members: null, memberCount: 0, fencedOut: [] };
}

function addressesOf(term: SourceTerm, networks: Record<string, Network>, nowMs: number): Interval[] {
  if (term.kind === 'any') return EVERYWHERE;
  if (term.kind === 'cidr') return [term.interval];
  const network = term.kind === 'network' ? networks[term.name] : undefined;
  if (network === undefined || (network.expiresMs !== null && network.expiresMs <= nowMs)) return [];
  return subtract(union(network.cidrs), union(network.except));
}

function workloadGroup(
  key: string,
  term: WorkloadTerm,
  index: LabelIndex,
  order: AddressOrder,
  workloads: Workload[],
): Group {
  const members = index.select(term.selector);
  const fence = term.within === null ? null : union(term.within);
  const picked: number[] = [];
  const fencedOut: string[] = [];
  let memberCount = 0;
  eachBit(members, (i) => {
    const before = picked.length;
    const end = order.starts[i + 1] as number;
    for (let at = order.starts[i] as number; at < end; at += 1) {
      const rank = order.ranks[at] as number;
      if (fence === null || contains(fence, order.addresses[rank] as string)) picked.push(rank);
    }
    if (picked.length > before) memberCount += 1;
    else if ((order.starts[i] as number) < end && fencedOut.length < 10) {
      fencedOut.push((workloads[i] as Workload).name);
    }
  });
  return { term: key, intervals: intervalsOfRanks(picked, order), members, memberCount, fencedOut };
}

function intervalsOfRanks(picked: number[], order: AddressOrder): Interval[] {
  // Typed arrays sort numbers without a comparator: ten times faster than sorting the addresses again.
  const ranks = new Uint32Array(picked).sort();
  const out: Interval[] = [];
  let last: Interval | null = null;
  for (let i = 0; i < ranks.length; i += 1) {
    const key = order.addresses[ranks[i] as number] as string;
    if (last !== null && (last.hi === key || successor(last.hi) === key)) last.hi = key;
    else {
      last = { lo: key, hi: key };
      out.push(last);
    }
  }
  return out;
}

function sameIntervals(a: Interval[], b: Interval[]): boolean {
  return (
    a.length === b.length && a.every((it, i) => it.lo === (b[i] as Interval).lo && it.hi === (b[i] as Interval).hi)
  );
}

function byName<T extends { name: string }>(placed: { value: T }[]): Record<string, T> {
  const out: Record<string, T> = Object.create(null);
  placed.forEach((it) => {
    out[it.value.name] = it.value;
  });
  return out;
}
