import type { Interval } from './address.ts';
import { parseCidrs } from './cidr-list.ts';
import type { HttpCondition, PortRange } from './compiled.ts';
import type { SourceDocument } from './finding.ts';
import { termOfGroup } from './group-id.ts';
import { formatTerm } from './groups.ts';
import type { Network, Placed, Policy, ProtectedObject, Rule, SourceTerm } from './model.ts';
import type { PointRule, PointRules, RuleGroup, RuleObject } from './point-rules.ts';
import { parsePortRange } from './ports.ts';

/**
 * A rules document read into what `resolve` works with. The document must have been checked; what can't be read all
 * the same throws, because leaving it out could open something. What an earlier reading holds with equal content is
 * taken over, as what was compiled from it is then still good.
 */
export interface LinkedSlice {
  source: PointRules;
  objects: ProtectedObject[];
  groups: LinkedGroup[];
  rules: LinkedRule[];
  policy: Placed<Policy>;
}

export interface LinkedGroup {
  source: RuleGroup;
  /** Equal for groups that stand for the same addresses, whichever document they are in. */
  key: string;
  formatted: string;
  term: SourceTerm;
  network: Placed<Network> | null;
}

export interface LinkedRule {
  source: PointRule;
  rule: Rule;
  /** Places in `groups` and `objects`. */
  from: number[];
  to: number[];
}

export function linkSlice(source: PointRules, before: LinkedSlice | undefined): LinkedSlice {
  if (before !== undefined && before.source === source) return before;
  const document = documentAt(source);
  const objects = reused(
    source.objects,
    nameOf,
    before?.objects,
    (it) => it.document.value as RuleObject,
    (it) => linkObject(it, source),
  );
  const groups = reused(source.groups, idOf, before?.groups, sourceOf, (it, old) => linkGroup(it, source, old));
  const placeOfGroup = placesBy(source.groups, idOf);
  const placeOfObject = placesBy(source.objects, nameOf);
  const rules = reused<PointRule, Pick<LinkedRule, 'source' | 'rule'>>(
    source.rules,
    idOf,
    before?.rules,
    sourceOf,
    (it) => ({
      source: it,
      rule: linkRule(it, source),
    }),
  );
  const linked = rules.map((it) => ({
    source: it.source,
    rule: withTerms(it.rule, it.source.from, groups, placeOfGroup, source),
    from: it.source.from.map((id) => placeIn(placeOfGroup, id, source)),
    to: it.source.to.map((name) => placeIn(placeOfObject, name, source)),
  }));
  const policy: Policy = { kind: 'Policy', name: source.point, rules: linked.map((it) => it.rule), tests: [] };
  return { source, objects, groups, rules: linked, policy: { value: policy, document } };
}

/** Each entry read, or as an earlier reading has it if what was written is the same. */
function reused<S, L>(
  sources: S[],
  keyOf: (source: S) => string,
  before: L[] | undefined,
  sourceIn: (linked: L) => S,
  link: (source: S, old: L | undefined) => L,
): L[] {
  const known: Record<string, L> = Object.create(null);
  (before ?? []).forEach((it) => {
    known[keyOf(sourceIn(it))] = it;
  });
  return sources.map((source) => {
    const old = known[keyOf(source)];
    if (old === undefined) return link(source, old);
    const was = sourceIn(old);
    return was === source || JSON.stringify(was) === JSON.stringify(source) ? old : link(source, old);
  });
}

const nameOf = (it: { name: string }): string => it.name;
const idOf = (it: { id: string }): string => it.id;
const sourceOf = <S>(it: { source: S }): S => it.source;

function placesBy<S>(sources: S[], keyOf: (source: S) => string): Record<string, number> {
  const out: Record<string, number> = Object.create(null);
  sources.forEach((it, i) => {
    out[keyOf(it)] = i;
  });
  return out;
}

function placeIn(places: Record<string, number>, key: string, source: PointRules): number {
  const place = places[key];
  return place === undefined ? unchecked(source, `nothing in it is called '${key}'`) : place;
}

function unchecked(source: PointRules, problem: string): never {
  throw new Error(`the rules of the point '${source.point}' were to be resolved, and can't be read: ${problem}`);
}

function documentAt(source: PointRules, value?: RuleObject): SourceDocument {
  return { file: `rules of ${source.point}`, value: value ?? source, locate: () => ({ line: 1, column: 1 }) };
}

function linkObject(object: RuleObject, source: PointRules): ProtectedObject {
  return {
    name: object.name,
    kind: object.kind,
    labels: object.labels,
    point: source.point,
    bind: object.bind,
    ports: portsOf(object.ports, source),
    protocol: object.protocol,
    trustedProxies: intervalsOf(object.trustedProxies, source),
    failsafe: intervalsOf(object.failsafe, source),
    mode: object.mode,
    document: documentAt(source, object),
  };
}

function linkGroup(group: RuleGroup, source: PointRules, old: LinkedGroup | undefined): LinkedGroup {
  const read = termOfGroup(group);
  if (read === null) return unchecked(source, `the group '${group.id}' is not in the normal form`);
  // The rules that name a network are as they were when only what it holds was edited.
  const term = old !== undefined && JSON.stringify(old.term) === JSON.stringify(read) ? old.term : read;
  const key = group.kind === 'workloads' ? group.id : JSON.stringify(group);
  const network = group.kind === 'network' ? linkNetwork(group, source) : null;
  return { source: group, key, formatted: formatTerm(term), term, network };
}

function linkNetwork(group: Extract<RuleGroup, { kind: 'network' }>, source: PointRules): Placed<Network> {
  const value: Network = {
    kind: 'Network',
    name: group.name,
    cidrs: intervalsOf(group.cidrs, source),
    except: intervalsOf(group.except, source),
    expiresMs: instantOf(group.expires, source),
  };
  return { value, document: documentAt(source) };
}

function linkRule(rule: PointRule, source: PointRules): Rule {
  return {
    id: rule.id,
    from: [],
    // What it selected is written down by name.
    to: [],
    services: [],
    ports: rule.ports === null ? null : portsOf(rule.ports, source),
    http: rule.http === null ? null : rule.http.map(orderedCondition),
    action: rule.action,
    untilMs: instantOf(rule.until, source),
  };
}

/** The rule with the terms it names; the same object as long as they are. */
function withTerms(
  rule: Rule,
  ids: string[],
  groups: LinkedGroup[],
  places: Record<string, number>,
  source: PointRules,
): Rule {
  const terms = ids.map((id) => (groups[placeIn(places, id, source)] as LinkedGroup).term);
  const same = rule.from.length === terms.length && terms.every((term, i) => term === rule.from[i]);
  return same ? rule : Object.assign({}, rule, { from: terms });
}

/** Keys in the order in which a policy directory is read: it is that of the bytes that points receive. */
function orderedCondition(it: HttpCondition): HttpCondition {
  const out: HttpCondition = {};
  if (it.methods !== undefined) out.methods = it.methods;
  if (it.path !== undefined) out.path = it.path;
  if (it.hosts !== undefined) out.hosts = it.hosts;
  return out;
}

function portsOf(ports: string[], source: PointRules): PortRange[] {
  return ports.map((text) => {
    const range = parsePortRange(text);
    return range === null || range === 'upside-down' ? unchecked(source, `'${text}' is no port`) : range;
  });
}

function intervalsOf(cidrs: string[], source: PointRules): Interval[] {
  return parseCidrs(cidrs) ?? unchecked(source, `'${cidrs.join(' ')}' are no CIDRs`);
}

function instantOf(text: string | null, source: PointRules): number | null {
  if (text === null) return null;
  const ms = Date.parse(text);
  // A time that is no number would never be over.
  return Number.isNaN(ms) ? unchecked(source, `'${text}' is no time`) : ms;
}
