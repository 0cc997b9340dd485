import type { PortRange } from './compiled.ts';
import { isOver } from './endings.ts';
import type { Group } from './groups.ts';
import { changedWorkloads, formatTerm, resolveGroups, sameAddresses } from './groups.ts';
import type { AddressOrder } from './label-index.ts';
import { orderAddresses } from './label-index.ts';
import type { Model, Network, Placed, Policy, ProtectedObject, Rule, Service, Workload } from './model.ts';
import { byName, objectSelection, protectedObjects, rulePorts, sortedRules } from './protection.ts';

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
  /** For each object, the rules that name it, in the order of their ids. */
  naming: ResolvedRule[][];
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
  const select = objectSelection(objects);
  const resolved = rules.map((it) => ({
    rule: it.rule,
    policy: it.policy,
    groups: it.rule.from.map((term) => groups[formatTerm(term)] as Group),
    objects: select(it.rule.to),
    ports: rulePorts(it.rule, services),
    ended: isOver(it.rule.untilMs, nowMs),
  }));
  const naming = rulesByObject(objects, resolved);
  return { model, nowMs, objects, rules: resolved, naming, groups, workloads, order };
}

/** For each object, the rules that name it, in the order of their ids. */
export function rulesByObject(objects: ProtectedObject[], rules: ResolvedRule[]): ResolvedRule[][] {
  const out: ResolvedRule[][] = objects.map(() => []);
  rules.forEach((rule) => {
    rule.objects.forEach((i) => {
      (out[i] as ResolvedRule[]).push(rule);
    });
  });
  return out;
}
