import {
  cidrsOf,
  formatPortRange,
  groupIdOf,
  normalisePorts,
  type PointRules,
  parseCidrs,
  parsePortRange,
  type RuleGroup,
  type RuleObject,
  termOfGroup,
} from '@edgeward/policy';
import { canonicalJson, parseCanonical } from './canonical-json.ts';
import { digestOf } from './digest.ts';
import { ascends, readAs } from './fields.ts';
import { LIMITS } from './limits.ts';
import { refused } from './refusal.ts';
import { languageFault } from './rules-language.ts';
import { rulesSchema } from './rules-schema.ts';
import { isSameJson } from './same-json.ts';

/**
 * A rules document as bytes, and bytes as a rules document. What is read can be resolved without a further question:
 * every field has its one spelling, every list its order, whatever a rule names is there, and nothing is there that no
 * rule names. Whose signature stands behind it is not looked at here.
 */
export function rulesBytes(rules: PointRules): Buffer {
  return Buffer.from(canonicalJson(rules));
}

/**
 * For `point` and no other. `before`: rules that were read here; what they have in common is not looked at again, and is the
 * same object in both. Throws EDW_ERR_FORMAT_RULES, EDW_ERR_RULES_POINT, and what `parseCanonical` throws.
 */
export function rulesOf(bytes: Uint8Array, point: string, before: PointRules | null = null): PointRules {
  const value = parseCanonical(bytes, 'the rules', LIMITS.rulesBytes);
  const written = readAs(rulesSchema, value, 'EDW_ERR_FORMAT_RULES', 'the rules');
  if (written.point !== point)
    throw refused('EDW_ERR_RULES_POINT', `the rules are those of '${written.point}', not of '${point}'`);
  const known = before?.point === point ? before : NOTHING;
  const rules = sharing(written, known);
  const fault = rulesFault(rules, known);
  if (fault !== null) throw refused('EDW_ERR_FORMAT_RULES', `the rules: ${fault}`);
  return rules;
}

/** What a reader may leave out that it does not know, and must then refuse. Sorted. */
export const FEATURES: readonly Feature[] = [
  'break-glass',
  'deny',
  'failsafe',
  'http',
  'network-expiry',
  'trusted-proxies',
  'until',
];

export type Feature =
  /** A head with a `base`, which is in force again when the approval ends. */
  | 'break-glass'
  /** A rule that denies. */
  | 'deny'
  /** An object with sources that may always reach tcp/22. */
  | 'failsafe'
  /** A rule with conditions on requests. */
  | 'http'
  /** A network that is empty from an instant on. */
  | 'network-expiry'
  /** An object that believes X-Forwarded-For of some peers. */
  | 'trusted-proxies'
  /** A rule that ends by itself. */
  | 'until';

/** What must be known to carry these rules out, sorted. `break-glass` is a matter of the head. */
export function requiredFeatures(rules: PointRules): Feature[] {
  const uses: Record<Feature, boolean> = {
    'break-glass': false,
    deny: rules.rules.some((rule) => rule.action === 'deny'),
    failsafe: rules.objects.some((object) => object.failsafe.length > 0),
    http: rules.rules.some((rule) => rule.http !== null),
    'network-expiry': rules.groups.some((group) => group.kind === 'network' && group.expires !== null),
    'trusted-proxies': rules.objects.some((object) => object.trustedProxies.length > 0),
    until: rules.rules.some((rule) => rule.until !== null),
  };
  return FEATURES.filter((feature) => uses[feature]);
}

type Lists = Pick<PointRules, 'objects' | 'groups' | 'rules'>;

const NOTHING: Lists = { objects: [], groups: [], rules: [] };

/** The same rules, each entry that is written as before being the one of before. */
function sharing(rules: PointRules, known: Lists): PointRules {
  return {
    ...rules,
    objects: shared(rules.objects, known.objects, (it) => it.name),
    groups: shared(rules.groups, known.groups, (it) => it.id),
    rules: shared(rules.rules, known.rules, (it) => it.id),
  };
}

function shared<T>(list: T[], known: readonly T[], keyOf: (it: T) => string): T[] {
  const before = new Map(known.map((it) => [keyOf(it), it]));
  return list.map((it) => {
    const old = before.get(keyOf(it));
    return old !== undefined && isSameJson(old, it) ? old : it;
  });
}

/** Reading a selector takes a hundred times as long as seeing that it is the one of before. */
function rulesFault(rules: PointRules, known: Lists): string | null {
  const objects = fresh(rules.objects, known.objects);
  const groups = fresh(rules.groups, known.groups);
  const unread = {
    point: rules.point,
    // What two of them must not share is seen only with all of them at hand.
    objects: objects.length === 0 && rules.objects.length <= known.objects.length ? [] : rules.objects,
    rules: fresh(rules.rules, known.rules),
  };
  return (
    orderFault(rules) ??
    first(objects, objectFault) ??
    first(groups, groupFault) ??
    ruleFault(rules) ??
    languageFault(unread)
  );
}

function fresh<T>(list: readonly T[], known: readonly T[]): T[] {
  const before = new Set(known);
  return list.filter((it) => !before.has(it));
}

/** Before anything is looked up by name. */
function orderFault({ objects, groups, rules }: PointRules): string | null {
  if (!ascends(objects.map((it) => it.name))) return 'the objects are not in the order of their names, each once';
  if (!ascends(groups.map((it) => it.id))) return 'the groups are not in the order of their ids, each once';
  if (!ascends(rules.map((it) => it.id))) return 'the rules are not in the order of their ids, each once';
  return null;
}

function objectFault(object: RuleObject): string | null {
  const { name, kind, protocol } = object;
  if (!isPortList(object.ports)) return `the ports of '${name}' are not in their one form`;
  if (!isCidrList(object.trustedProxies)) return `the trusted proxies of '${name}' are not in their one form`;
  if (!isCidrList(object.failsafe)) return `the failsafe of '${name}' is not in its one form`;
  if (kind === 'virtual-server')
    return object.failsafe.length === 0 ? null : `'${name}' is no host, and has a failsafe`;
  if (protocol !== 'tcp' || object.trustedProxies.length > 0) return `'${name}' is a host, and is to judge requests`;
  if (object.bind !== name) return `'${name}' is a host, and is bound to something else`;
  return object.mode === 'enforce' && object.failsafe.length === 0
    ? `'${name}' is a host to be enforced, and has no failsafe`
    : null;
}

function groupFault(group: RuleGroup): string | null {
  const term = termOfGroup(group);
  if (term === null) return `the group ${group.id} is not in its one form`;
  // Two groups under one name would share their members.
  if (groupIdOf(term, digestOf) !== group.id) return `${group.id} is not the name of the group that it names`;
  if (group.kind === 'workloads' && group.within !== null && !(group.within.length > 0 && isCidrList(group.within)))
    return `the fence of ${group.id} is not in its one form`;
  if (group.kind === 'network' && !(isCidrList(group.cidrs) && isCidrList(group.except)))
    return `the network '${group.name}' is not in its one form`;
  return null;
}

function ruleFault(document: PointRules): string | null {
  const objects = new Map(document.objects.map((it) => [it.name, it]));
  const unused = new Set(document.groups.map((it) => it.id));
  const groups = new Set(unused);
  for (const { id, from, to, ports, http } of document.rules) {
    if (!ascends(from) || !ascends(to)) return `what the rule '${id}' names is not in order, each once`;
    const nowhere = from.find((it) => !groups.has(it)) ?? to.find((it) => !objects.has(it));
    if (nowhere !== undefined) return `the rule '${id}' names ${nowhere}, which is not there`;
    if (ports !== null && !isPortList(ports)) return `the ports of the rule '${id}' are not in their one form`;
    if (http !== null && to.some((it) => objects.get(it)?.protocol !== 'http'))
      return `the rule '${id}' sets conditions on requests for an object that has none`;
    for (const it of from) unused.delete(it);
  }
  for (const it of unused) return `no rule names the group ${it}`;
  return null;
}

function isPortList(ports: readonly string[]): boolean {
  const ranges = [];
  for (const port of ports) {
    const range = parsePortRange(port);
    if (range === null || range === 'upside-down') return false;
    ranges.push(range);
  }
  return isSame(normalisePorts(ranges).map(formatPortRange), ports);
}

function isCidrList(cidrs: readonly string[]): boolean {
  const intervals = parseCidrs(cidrs);
  return intervals !== null && isSame(cidrsOf(intervals), cidrs);
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((it, at) => it === b[at]);
}

function first<T>(list: readonly T[], fault: (it: T) => string | null): string | null {
  for (const it of list) {
    const found = fault(it);
    if (found !== null) return found;
  }
  return null;
}
