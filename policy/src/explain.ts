import { formatAddress, parseAddress } from './address.ts';
import { rulesByObject } from './compile.ts';
import type { HttpCondition } from './compiled.ts';
import type { LoadedPolicy } from './decide.ts';
import { decideFor } from './decide.ts';
import type { Flow, Mode, Verdict } from './flow.ts';
import { contains } from './interval.ts';
import type { Network, ProtectedObject, Workload } from './model.ts';
import { formatPortRange, includesPort, parsePort } from './ports.ts';
import { conditionMatches, plainRequest } from './request.ts';
import type { Resolution, ResolvedRule } from './resolve.ts';
import type { LabelCondition, Labels, Selector } from './selector.ts';
import { formatCondition, holdsFor } from './selector.ts';

/** Verdicts in words: who both ends are, which rule decided, and for a denial which rule came nearest and what it lacked. */
export interface Explanation extends Verdict {
  mode: Mode | null;
  object: string;
  objectLabels: Labels;
  source: SourceIdentity;
  /** The allow rule that came nearest, and the one condition that failed; null when a rule decided or none is near. */
  nearestRule: string | null;
  missed: string | null;
  words: string;
}

export interface SourceIdentity {
  address: string;
  workloads: string[];
  networks: string[];
  /** Labels of all workloads with this address; where they differ, the values are joined by commas. */
  labels: Labels;
}

export function explain(resolution: Resolution, view: LoadedPolicy, flow: Flow): Explanation {
  const verdict = decideFor(view, parseAddress(flow.from), flow);
  const object = resolution.objects.filter((it) => it.name === flow.to)[0] ?? null;
  const source = identify(resolution, flow.from);
  const near = verdict.verdict === 'deny' && object !== null ? nearestRule(resolution, object, flow) : null;
  const out: Explanation = {
    verdict: verdict.verdict,
    reason: verdict.reason,
    rule: verdict.rule,
    revision: verdict.revision,
    mode: object === null ? null : object.mode,
    object: flow.to,
    objectLabels: object === null ? {} : object.labels,
    source,
    nearestRule: near === null ? null : near.rule,
    missed: near === null ? null : near.missed,
    words: '',
  };
  out.words = inWords(out, flow);
  return out;
}

/** Workloads and networks that an address belongs to, at the resolution's instant. */
export function identify(resolution: Resolution, address: string): SourceIdentity {
  const key = parseAddress(address);
  const out: SourceIdentity = {
    address: key === null ? address : formatAddress(key),
    workloads: [],
    networks: [],
    labels: {},
  };
  if (key === null) return out;
  resolution.workloads.forEach((workload) => {
    if (workload.addresses.indexOf(key) < 0) return;
    out.workloads.push(workload.name);
    mergeLabels(out.labels, workload.labels);
  });
  resolution.model.networks.forEach((network) => {
    if (isIn(network.value, key, resolution.nowMs)) out.networks.push(network.value.name);
  });
  return out;
}

/** Adds labels; a key that is there with another value gets both, sorted and joined by a comma. */
export function mergeLabels(into: Labels, more: Labels): void {
  Object.keys(more).forEach((key) => {
    const have = into[key];
    const value = more[key] as string;
    if (have === undefined || have === value) into[key] = value;
    else if (have.split(',').indexOf(value) < 0) into[key] = have.split(',').concat([value]).sort().join(',');
  });
}

function isIn(network: Network, key: string, nowMs: number): boolean {
  if (network.expiresMs !== null && network.expiresMs <= nowMs) return false;
  const among = (list: Network['cidrs']): boolean => list.some((it) => contains([it], key));
  return among(network.cidrs) && !among(network.except);
}

/** The allow rule for this object that lacks least, and the first thing that it lacks. */
export function nearestRule(
  resolution: Resolution,
  object: ProtectedObject,
  flow: Flow,
): { rule: string; missed: string } | null {
  const key = parseAddress(flow.from);
  const members = key === null ? [] : resolution.workloads.filter((it) => it.addresses.indexOf(key) >= 0);
  let best: { rule: string; missed: string } | null = null;
  let least = Number.POSITIVE_INFINITY;
  const rules = rulesByObject(resolution)[resolution.objects.indexOf(object)] ?? [];
  rules.forEach((rule) => {
    if (rule.rule.action !== 'allow') return;
    const lacks = lacking(rule, key, members, object, flow);
    if (lacks.length === 0 || lacks.length >= least) return;
    least = lacks.length;
    best = { rule: rule.rule.id, missed: lacks[0] as string };
  });
  return best;
}

function lacking(
  rule: ResolvedRule,
  key: string | null,
  members: Workload[],
  object: ProtectedObject,
  flow: Flow,
): string[] {
  let lacks: string[] = [];
  const named = key !== null && rule.groups.some((group) => contains(group.intervals, key));
  if (!named) lacks = lacks.concat(missedLabels(rule, members));
  const port = parsePort(flow.port);
  if (port === null || !includesPort(object.ports, port)) lacks.push(`the object does not list ${flow.port}`);
  else if (rule.ports !== null && !includesPort(rule.ports, port))
    lacks.push(`port: ${flow.port} is not ${rule.ports.map(formatPortRange).join(', ')}`);
  return lacks.concat(missedRequest(rule, object, flow));
}

/** The shortest list of label conditions that the source fails, or that the source is no member at all. */
function missedLabels(rule: ResolvedRule, members: Workload[]): string[] {
  let best: string[] | null = null;
  const consider = (selector: Selector, labels: Labels): void => {
    selector.forEach((conditions) => {
      const failed = conditions.filter((it) => !holdsFor(it, labels)).map((it) => missedLabel(it, labels));
      if (failed.length > 0 && (best === null || failed.length < best.length)) best = failed;
    });
  };
  rule.rule.from.forEach((term) => {
    if (term.kind !== 'workloads') return;
    members.forEach((member) => {
      consider(term.selector, member.labels);
    });
  });
  if (best !== null) return best;
  const fenced = members.length > 0 && rule.rule.from.some((term) => term.kind === 'workloads' && term.within !== null);
  if (fenced) return ['source: its address is outside the fence'];
  // An unknown address is further from any rule than a workload with a wrong label.
  return ['source: the address is in none of its groups', ''];
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

function missedConditions(
  condition: HttpCondition,
  request: { method: string; path: string; host: string | null },
): string[] {
  const lacks: string[] = [];
  if (condition.methods !== undefined && condition.methods.indexOf(request.method) < 0)
    lacks.push(`method: ${request.method} is not ${condition.methods.join(', ')}`);
  if (condition.path !== undefined && !conditionMatches({ path: condition.path }, request))
    lacks.push(`path: ${request.path} is not ${condition.path}`);
  if (condition.hosts !== undefined && !conditionMatches({ hosts: condition.hosts }, request))
    lacks.push(`host: ${request.host ?? 'none'} is not ${condition.hosts.join(', ')}`);
  return lacks;
}

const REASONS: Record<string, string> = {
  'no-policy': 'the point holds no policy',
  'unknown-object': 'the policy knows no object of this name',
  'mode-off': 'the object is off',
  failsafe: 'the source may always reach tcp/22 here',
  'unknown-source': 'no rule for this object names the source',
  'port-not-allowed': 'no rule that names the source names the port, or the object does not list it',
  'denied-by-rule': 'a deny rule matches',
  'bad-request': "the request can't be judged safely",
  'allowed-by-rule': 'an allow rule matches',
  'request-not-allowed': 'no rule allows this request',
  'internal-error': 'the hook failed',
};

/** A reason as a sentence's end. */
export function reasonInWords(reason: string): string {
  return REASONS[reason] ?? reason;
}

function inWords(it: Explanation, flow: Flow): string {
  const labels = Object.keys(it.source.labels)
    .sort()
    .map((key) => `${key}=${it.source.labels[key]}`)
    .join(',');
  const names = it.source.workloads.concat(it.source.networks).join(', ');
  const who = `${it.source.address}${names === '' ? '' : ` (${names}${labels === '' ? '' : `; ${labels}`})`}`;
  const what =
    flow.method === undefined && flow.path === undefined ? '' : ` ${flow.method ?? 'GET'} ${flow.path ?? '/'}`;
  const word = it.verdict === 'allow' ? 'ALLOW' : it.mode === 'observe' ? 'would DENY (observe: passes)' : 'DENY';
  const rule = it.rule === null ? '' : ` '${it.rule}'`;
  const near = it.nearestRule === null ? '' : `; nearest rule '${it.nearestRule}': ${it.missed}`;
  return `${word} ${who} → ${it.object} ${flow.port}${what}: ${reasonInWords(it.reason)}${rule}${near}`;
}
