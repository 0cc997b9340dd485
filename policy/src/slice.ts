import { cidrsOf } from './cidr-list.ts';
import type { Digest } from './compile.ts';
import type { PortRange } from './compiled.ts';
import { groupIdOf } from './group-id.ts';
import { formatTerm } from './groups.ts';
import type { Model, Network, ProtectedObject, Rule, Service, SourceTerm } from './model.ts';
import type { PointRule, PointRules, RuleGroup, RuleObject } from './point-rules.ts';
import { formatPortRange } from './ports.ts';
import { byName, objectSelection, protectedObjects, rulePorts, sortedRules } from './protection.ts';
import type { Labels } from './selector.ts';
import { formatSelector } from './selector.ts';
import { compareText } from './text-order.ts';

/**
 * A model cut into what people decided for each point: a rules document a point. It reads no address of a workload and
 * no clock, so everybody who has the documents makes the same of them, today and next year.
 */

/** The rules documents of every point that protects something, sorted by point. */
export function slicePolicy(model: Model, digest: Digest): PointRules[] {
  const objects = protectedObjects(model);
  const drafts = draftsOf(objects);
  const select = objectSelection(objects);
  const services = byName<Service>(model.services);
  const groups = groupWriter(byName<Network>(model.networks), digest);
  sortedRules(model).forEach((it) => {
    const named = namesByPoint(select(it.rule.to), objects);
    const points = Object.keys(named);
    if (points.length === 0) return;
    const from = it.rule.from.map(groups);
    const written = writeRule(it.rule, from, rulePorts(it.rule, services));
    points.forEach((point) => {
      const draft = drafts[point] as Draft;
      draft.rules.push(Object.assign({}, written, { to: named[point] as string[] }));
      from.forEach((group) => {
        addGroup(draft.groups, group);
      });
    });
  });
  return Object.keys(drafts)
    .sort()
    .map((point) => finish(point, drafts[point] as Draft));
}

interface Draft {
  objects: RuleObject[];
  groups: Record<string, RuleGroup>;
  rules: PointRule[];
}

function draftsOf(objects: ProtectedObject[]): Record<string, Draft> {
  const drafts: Record<string, Draft> = Object.create(null);
  objects.forEach((object) => {
    let draft = drafts[object.point];
    if (draft === undefined) {
      draft = { objects: [], groups: Object.create(null), rules: [] };
      drafts[object.point] = draft;
    }
    draft.objects.push(writeObject(object));
  });
  return drafts;
}

function finish(point: string, draft: Draft): PointRules {
  const ids = Object.keys(draft.groups).sort();
  return {
    format: 1,
    point,
    objects: draft.objects,
    groups: ids.map((id) => draft.groups[id] as RuleGroup),
    rules: draft.rules,
  };
}

function namesByPoint(places: number[], objects: ProtectedObject[]): Record<string, string[]> {
  const out: Record<string, string[]> = Object.create(null);
  places.forEach((i) => {
    const object = objects[i] as ProtectedObject;
    const names = out[object.point];
    if (names === undefined) out[object.point] = [object.name];
    else names.push(object.name);
  });
  return out;
}

function writeObject(object: ProtectedObject): RuleObject {
  return {
    name: object.name,
    kind: object.kind,
    labels: sortedLabels(object.labels),
    bind: object.bind,
    protocol: object.protocol,
    mode: object.mode,
    ports: object.ports.map(formatPortRange),
    trustedProxies: cidrsOf(object.trustedProxies),
    failsafe: cidrsOf(object.failsafe),
  };
}

function sortedLabels(labels: Labels): Labels {
  const out: Labels = {};
  Object.keys(labels)
    .sort()
    .forEach((key) => {
      out[key] = labels[key] as string;
    });
  return out;
}

function writeRule(rule: Rule, groups: RuleGroup[], ports: PortRange[] | null): PointRule {
  const ids = groups.map((group) => group.id).sort(compareText);
  return {
    id: rule.id,
    action: rule.action,
    from: ids.filter((id, i) => i === 0 || id !== ids[i - 1]),
    to: [],
    ports: ports === null ? null : ports.map(formatPortRange),
    http: rule.http,
    until: instant(rule.untilMs),
  };
}

function instant(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

/** Writes a term as a group; the work for equal terms is done once, as thousands of rules name the same ones. */
function groupWriter(networks: Record<string, Network>, digest: Digest): (term: SourceTerm) => RuleGroup {
  const known: Record<string, RuleGroup> = Object.create(null);
  return (term) => {
    const text = formatTerm(term);
    let group = known[text];
    if (group === undefined) {
      group = writeGroup(groupIdOf(term, digest), term, networks);
      known[text] = group;
    }
    // The same group may be checked against another number in each rule.
    if (group.kind !== 'workloads' || term.kind !== 'workloads' || group.max === term.max) return group;
    return Object.assign({}, group, { max: term.max });
  };
}

function writeGroup(id: string, term: SourceTerm, networks: Record<string, Network>): RuleGroup {
  if (term.kind === 'any') return { id, kind: 'any' };
  if (term.kind === 'cidr') return { id, kind: 'cidr', cidr: cidrsOf([term.interval])[0] as string };
  if (term.kind === 'workloads') {
    const within = term.within === null ? null : cidrsOf(term.within);
    return { id, kind: 'workloads', selector: formatSelector(term.selector), within, max: term.max };
  }
  const network = networks[term.name];
  return {
    id,
    kind: 'network',
    name: term.name,
    cidrs: network === undefined ? [] : cidrsOf(network.cidrs),
    except: network === undefined ? [] : cidrsOf(network.except),
    expires: network === undefined ? null : instant(network.expiresMs),
  };
}

function addGroup(groups: Record<string, RuleGroup>, group: RuleGroup): void {
  const known = groups[group.id];
  groups[group.id] = known === undefined ? group : withLeastMax(known, group);
}

/** Two writings of one group as one: of two numbers that it must not exceed, the smaller. */
export function withLeastMax(a: RuleGroup, b: RuleGroup): RuleGroup {
  if (a.kind !== 'workloads' || b.kind !== 'workloads' || b.max === null) return a;
  return a.max === null || b.max < a.max ? b : a;
}
