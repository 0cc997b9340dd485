import type { PortRange } from './compiled.ts';
import { isOver } from './endings.ts';
import type { Group } from './groups.ts';
import { changedWorkloads, formatTerm, resolveGroups, sameAddresses } from './groups.ts';
import type { AddressOrder } from './label-index.ts';
import { orderAddresses } from './label-index.ts';
import type { Model, Network, Placed, Policy, ProtectedObject, Rule, Service, Workload } from './model.ts';
import { EVERY_PORT, normalisePorts } from './ports.ts';
import type { Selector } from './selector.ts';
import { formatSelector, selects } from './selector.ts';
import { compareText } from './text-order.ts';

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

/** With an earlier resolution at hand, a group that no changed workload belongs or belonged to is taken over. */
export function resolve(model: Model, nowMs: number, before?: Resolution): Resolution {
  const workloads = model.workloads.map((it) => it.value);
  const objects = protectedObjects(model);
  const services = byName<Service>(model.services);
  const rules = sortedRules(model);
  const changes = before === undefined ? null : changedWorkloads(before.workloads, workloads);
  const order = before !== undefined && sameAddresses(changes) ? before.order : orderAddresses(workloads);
  const groups = resolveGroups({
    networks: byName<Network>(model.networks),
    nowMs,
    workloads,
    rules,
    changes,
    order,
    before: before?.groups,
  });
  const selected: Record<string, number[]> = Object.create(null);
  const resolved = rules.map((it) => ({
    rule: it.rule,
    policy: it.policy,
    groups: it.rule.from.map((term) => groups[formatTerm(term)] as Group),
    objects: selectObjects(it.rule.to, objects, selected),
    ports: rulePorts(it.rule, services),
    ended: isOver(it.rule.untilMs, nowMs),
  }));
  return { model, nowMs, objects, rules: resolved, groups, workloads, order };
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
  return out.sort((a, b) => compareText(a.name, b.name));
}

function sortedRules(model: Model): { rule: Rule; policy: Placed<Policy> }[] {
  const out: { rule: Rule; policy: Placed<Policy> }[] = [];
  model.policies.forEach((policy) => {
    policy.value.rules.forEach((rule) => {
      out.push({ rule, policy });
    });
  });
  return out.sort((a, b) => compareText(a.rule.id, b.rule.id));
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

function byName<T extends { name: string }>(placed: { value: T }[]): Record<string, T> {
  const out: Record<string, T> = Object.create(null);
  placed.forEach((it) => {
    out[it.value.name] = it.value;
  });
  return out;
}
