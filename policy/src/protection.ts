import type { Interval } from './address.ts';
import type { PortRange } from './compiled.ts';
import type { Model, Placed, Policy, ProtectedObject, Rule, Service } from './model.ts';
import { EVERY_PORT, normalisePorts } from './ports.ts';
import type { LabelCondition, Selector } from './selector.ts';
import { formatSelector, holdsFor } from './selector.ts';
import { compareText } from './text-order.ts';

/**
 * What a model protects, and which of it each rule names. It looks at no address and at no clock, so it is the same
 * on every machine that has the same documents, wherever the workloads are.
 */

/** Always the same array: what an object was compiled from is compared by identity. */
const NOBODY: Interval[] = [];

/** Every protected object, sorted by name. */
export function protectedObjects(model: Model): ProtectedObject[] {
  const management: Record<string, Interval[]> = Object.create(null);
  model.points.forEach((point) => {
    management[point.value.name] = point.value.management;
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
      failsafe: NOBODY,
      mode: server.mode,
      document: it.document,
    };
  });
  model.workloads.forEach((it) => {
    const workload = it.value;
    if (workload.point === null) return;
    const failsafe = management[workload.point] ?? NOBODY;
    // A host without a management list could lock its operators out, so it is observed only.
    const guarded = workload.mode !== 'enforce' || failsafe.length > 0;
    out.push({
      name: workload.name,
      kind: 'workload',
      labels: workload.labels,
      point: workload.point,
      bind: workload.name,
      ports: workload.ports ?? EVERY_PORT,
      protocol: 'tcp',
      trustedProxies: [],
      failsafe,
      mode: guarded ? workload.mode : 'observe',
      document: it.document,
    });
  });
  return out.sort((a, b) => compareText(a.name, b.name));
}

/** Every rule of every policy, sorted by id. */
export function sortedRules(model: Model): { rule: Rule; policy: Placed<Policy> }[] {
  const out: { rule: Rule; policy: Placed<Policy> }[] = [];
  model.policies.forEach((policy) => {
    policy.value.rules.forEach((rule) => {
      out.push({ rule, policy });
    });
  });
  return out.sort((a, b) => compareText(a.rule.id, b.rule.id));
}

/** Ports and services joined; null: every port of the object. */
export function rulePorts(rule: Rule, services: Record<string, Service>): PortRange[] | null {
  if (rule.ports === null) return null;
  let ports = rule.ports;
  rule.services.forEach((name) => {
    ports = ports.concat(services[name]?.ports ?? []);
  });
  return normalisePorts(ports);
}

export function byName<T extends { name: string }>(placed: { value: T }[]): Record<string, T> {
  const out: Record<string, T> = Object.create(null);
  placed.forEach((it) => {
    out[it.value.name] = it.value;
  });
  return out;
}

/** Answers which objects a selector names, as ascending places in the list; equal selectors share the answer. */
export function objectSelection(objects: ProtectedObject[]): (to: Selector) => number[] {
  const known: Record<string, number[]> = Object.create(null);
  const all = objects.map((_, i) => i);
  let index: ValueIndex | null = null;
  return (to) => {
    const key = formatSelector(to);
    const before = known[key];
    if (before !== undefined) return before;
    if (index === null) index = indexValues(objects);
    const out = selectPlaces(to, objects, index, all);
    known[key] = out;
    return out;
  };
}

/** Places of the objects that have a label with a value: 5,000 rules over 5,000 objects are not 25,000,000 questions. */
type ValueIndex = Record<string, Record<string, number[]>>;

function indexValues(objects: ProtectedObject[]): ValueIndex {
  const index: ValueIndex = Object.create(null);
  objects.forEach((object, i) => {
    Object.keys(object.labels).forEach((key) => {
      const value = object.labels[key] as string;
      let values = index[key];
      if (values === undefined) {
        values = Object.create(null) as Record<string, number[]>;
        index[key] = values;
      }
      const places = values[value];
      if (places === undefined) values[value] = [i];
      else places.push(i);
    });
  });
  return index;
}

function selectPlaces(to: Selector, objects: ProtectedObject[], index: ValueIndex, all: number[]): number[] {
  const picked: Record<number, true> = {};
  const out: number[] = [];
  to.forEach((conditions) => {
    candidates(conditions, index, all).forEach((i) => {
      const labels = (objects[i] as ProtectedObject).labels;
      if (picked[i] === true || !conditions.every((it) => holdsFor(it, labels))) return;
      picked[i] = true;
      out.push(i);
    });
  });
  return out.sort((a, b) => a - b);
}

/** The fewest objects among which every one that fits all the conditions is. */
function candidates(conditions: LabelCondition[], index: ValueIndex, all: number[]): number[] {
  let best = all;
  conditions.forEach((it) => {
    if (it.op !== 'in') return;
    let places: number[] = [];
    it.values.forEach((value) => {
      places = places.concat(index[it.key]?.[value] ?? []);
    });
    if (places.length < best.length) best = places;
  });
  return best;
}
