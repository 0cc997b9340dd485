import type { Interval } from './address.ts';
import { parseAddress } from './address.ts';
import { cidrsOf } from './cidr-list.ts';
import type { HttpCondition } from './compiled.ts';
import { isOver } from './endings.ts';
import type { Flow } from './flow.ts';
import { termText } from './flow-change-source.ts';
import type { Identities } from './identity.ts';
import { contains } from './interval.ts';
import type { ProtectedObject, Workload } from './model.ts';
import { formatPortRange, includesPort, parsePort } from './ports.ts';
import type { PlainRequest } from './request.ts';
import { conditionMatches, plainRequest } from './request.ts';
import type { ResolvedRule } from './resolve.ts';
import type { LabelCondition, Labels, Selector } from './selector.ts';
import { formatCondition, holdsFor, selects } from './selector.ts';

/** Why a denied flow was not allowed: the allow rule for this object that lacks least, and the first thing it lacks. */
export function nearestRule(
  identities: Identities,
  object: ProtectedObject,
  flow: Flow,
): { rule: string; missed: string } | null {
  const key = parseAddress(flow.from);
  const members = key === null ? [] : identities.workloadsAt(key);
  let best: { rule: string; missed: string } | null = null;
  let least = Number.POSITIVE_INFINITY;
  identities.rulesFor(object).forEach((rule) => {
    if (rule.rule.action !== 'allow') return;
    const lacks = missedTime(rule).concat(lacking(identities, rule, key, members, object, flow));
    if (lacks.length === 0 || lacks.length >= least) return;
    least = lacks.length;
    best = { rule: rule.rule.id, missed: lacks[0] as string };
  });
  return best;
}

function missedTime(rule: ResolvedRule): string[] {
  if (!rule.ended || rule.rule.untilMs === null) return [];
  return [`time: the rule ended at ${new Date(rule.rule.untilMs).toISOString()}`];
}

function lacking(
  identities: Identities,
  rule: ResolvedRule,
  key: string | null,
  members: Workload[],
  object: ProtectedObject,
  flow: Flow,
): string[] {
  let lacks: string[] = [];
  const named = key !== null && rule.groups.some((group) => contains(group.intervals, key));
  if (!named) lacks = lacks.concat(missedNetwork(identities, rule, key) ?? missedLabels(rule, members, key));
  const port = parsePort(flow.port);
  if (port === null || !includesPort(object.ports, port)) lacks.push(`the object does not list ${flow.port}`);
  else if (rule.ports !== null && !includesPort(rule.ports, port))
    lacks.push(`port: ${flow.port} is not ${rule.ports.map(formatPortRange).join(', ')}`);
  return lacks.concat(missedRequest(rule, object, flow));
}

/** A network that would hold the source, were it not for an exception or its expiry. */
function missedNetwork(identities: Identities, rule: ResolvedRule, key: string | null): string[] | null {
  let missed: string[] | null = null;
  const resolution = identities.resolution;
  rule.rule.from.forEach((term) => {
    if (term.kind !== 'network' || key === null) return;
    resolution.model.networks.forEach((network) => {
      const it = network.value;
      if (it.name !== term.name || !it.cidrs.some((cidr) => contains([cidr], key))) return;
      const expired = it.expiresMs !== null && isOver(it.expiresMs, resolution.nowMs);
      const why = expired
        ? `the network '${it.name}' expired at ${new Date(it.expiresMs as number).toISOString()}`
        : `it is an exception of the network '${it.name}'`;
      missed = [`source: ${why}`];
    });
  });
  return missed;
}

/** The shortest list of label conditions that the source fails, or that the source is no member at all. */
function missedLabels(rule: ResolvedRule, members: Workload[], key: string | null): string[] {
  let best: string[] | null = null;
  const consider = (selector: Selector, labels: Labels): void => {
    selector.forEach((conditions) => {
      const failed = conditions.filter((it) => !holdsFor(it, labels)).map((it) => missedLabel(it, labels));
      if (best === null || failed.length < best.length) best = failed;
    });
  };
  // A workload that is selected and not named has its address outside the fence; its labels lack nothing.
  let fence: Interval[] | null = null;
  rule.rule.from.forEach((term) => {
    if (term.kind !== 'workloads') return;
    members.forEach((member) => {
      if (selects(term.selector, member.labels)) fence = (fence ?? []).concat(term.within ?? []);
      else consider(term.selector, member.labels);
    });
  });
  // What is known of labels may be newer or older than the members of a revision, where both come from a store.
  const cidrs: Interval[] = fence ?? [];
  if (fence !== null && (key === null || cidrs.length === 0 || contains(cidrs, key)))
    return ['source: it is no member at this revision, though the labels that are known of it now are selected'];
  if (fence !== null) return [`source: its address is outside the fence ${listed(cidrsOf(cidrs), ', ')}`];
  if (best !== null) return best;
  // An unknown address is further from any rule than a workload with a wrong label.
  return [`source: the address is in none of ${listed(rule.rule.from.map(termText), '; ')}`, ''];
}

/** The sentence is stored with every denial: it names a few, and the rule has them all. */
const MOST_LISTED = 4;
const MOST_CHARS = 120;

function listed(texts: string[], joint: string): string {
  const shown = texts.slice(0, MOST_LISTED).map((it) => (it.length > MOST_CHARS ? `${it.slice(0, MOST_CHARS)}…` : it));
  const more = texts.length - shown.length;
  return `${shown.join(joint)}${more === 0 ? '' : ` and ${more} more`}`;
}

function missedLabel(condition: LabelCondition, labels: Labels): string {
  const value = labels[condition.key];
  return `source: needs ${formatCondition(condition)}, ${value === undefined ? 'has no such label' : `has '${value}'`}`;
}

function missedRequest(rule: ResolvedRule, object: ProtectedObject, flow: Flow): string[] {
  if (rule.rule.http === null || object.protocol !== 'http') return [];
  const request = plainRequest(flow.method, flow.path, flow.host);
  if (request === null) return ["request: it can't be judged safely"];
  if (rule.rule.http.some((condition) => conditionMatches(condition, request))) return [];
  let best: string[] = [];
  rule.rule.http.forEach((condition, i) => {
    const lacks = missedConditions(condition, request);
    if (i === 0 || lacks.length < best.length) best = lacks;
  });
  return best;
}

function missedConditions(condition: HttpCondition, request: PlainRequest): string[] {
  const lacks: string[] = [];
  if (condition.methods !== undefined && condition.methods.indexOf(request.method) < 0)
    lacks.push(`method: ${request.method} is not ${condition.methods.join(', ')}`);
  if (condition.path !== undefined && !conditionMatches({ path: condition.path }, request))
    lacks.push(`path: ${request.path} is not ${condition.path}`);
  if (condition.hosts !== undefined && !conditionMatches({ hosts: condition.hosts }, request))
    lacks.push(`host: ${request.host ?? 'none'} is not ${condition.hosts.join(', ')}`);
  return lacks;
}
