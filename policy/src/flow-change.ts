import type { CompiledObject, CompiledPolicy, IntervalTable } from './compiled.ts';
import type { Mode } from './flow.ts';
import type { CompiledSide } from './flow-change-object.ts';
import { compareObject } from './flow-change-object.ts';
import type { ChangedSource, SourceReader } from './flow-change-source.ts';
import { rangeText, sourceReader } from './flow-change-source.ts';
import { subtract, union } from './interval.ts';
import { unpack } from './interval-table.ts';
import type { LimitFinding } from './plan-limits.ts';
import { limitFindings } from './plan-limits.ts';
import type { PointSize } from './plan-size.ts';
import { sizeOfPoint } from './plan-size.ts';
import { formatPortRange } from './ports.ts';
import type { Request } from './request-pattern.ts';
import type { Resolution, ResolvedRule } from './resolve.ts';
import type { TermChange } from './term-change.ts';
import { compareText } from './text-order.ts';

/**
 * A change of policy as flows gained and lost: who × which object × which ports × which requests, for each point. Both
 * sides must be resolved at the same instant, so that what time ends is nobody's change. An object that is compiled to
 * the same bytes is not looked at. What is gained and lost are verdicts; whether a denial stops traffic is the mode's.
 */
export interface FlowSide {
  resolution: Resolution;
  /** Of every point that is to be compared. */
  policies: CompiledPolicy[];
}

export interface FlowChange {
  /** Among what is gained, `deny` is a denial that ends; among what is lost, a new one. */
  by: 'allow' | 'deny';
  cause: TermChange['cause'];
  source: ChangedSource;
  /** `tcp/443`, `tcp/8000-8099` */
  ports: string[];
  requests: Request[];
  /** Ids of the rules that say so: the new policy's, or the old one's where it said so. */
  rules: string[];
}

interface ObjectSettings {
  object: string;
  mode: Mode;
  protocol: 'http' | 'tcp';
  ports: string[];
}

export interface ObjectFlowChanges {
  object: string;
  /** What the point calls it, and what both sides are compared by. */
  bind: string;
  change: 'new' | 'gone' | 'changed';
  before: ObjectSettings | null;
  after: ObjectSettings | null;
  gained: FlowChange[];
  lost: FlowChange[];
  /** All of them; the lists may be cut. */
  totals: { gained: number; lost: number };
  /** Peers whose X-Forwarded-For is believed from now on, or no longer. */
  trusted: { gained: string[]; lost: string[] };
  /** Ids. */
  rules: { added: string[]; removed: string[]; changed: string[] };
}

export interface PointChanges {
  point: string;
  /** By name; the list may be cut. */
  objects: ObjectFlowChanges[];
  totals: ChangeTotals;
  before: PointSize | null;
  after: PointSize | null;
  limits: LimitFinding[];
}

export interface ChangeTotals {
  /** Objects that change. */
  objects: number;
  gained: number;
  lost: number;
}

export interface PolicyChanges {
  /** Points of which something changes, by name. */
  points: PointChanges[];
  totals: ChangeTotals & { points: number };
  /** Points of either side. */
  compared: number;
}

/** How much is told; everything is counted. */
export interface ChangeBounds {
  /** Over all points. */
  objects: number;
  /** Of one object, gained and lost each. */
  changes: number;
  /** Names and addresses of one source. */
  examples: number;
}

/** Null: no policy is in force. */
export function flowChanges(before: FlowSide | null, after: FlowSide, bounds: ChangeBounds): PolicyChanges {
  const was = sideOf(before);
  const is = sideOf(after);
  const names = Object.keys(Object.assign({}, was.policies, is.policies)).sort(compareText);
  const out: PolicyChanges = {
    points: [],
    totals: { points: 0, objects: 0, gained: 0, lost: 0 },
    compared: names.length,
  };
  names.forEach((point) => {
    const old = was.policies[point] ?? null;
    const now = is.policies[point] ?? null;
    if (old !== null && now !== null && old.hash === now.hash) return;
    const room = bounds.objects - Math.min(bounds.objects, out.totals.objects);
    const changes = comparePoint(point, was, is, { objects: room, changes: bounds.changes, examples: bounds.examples });
    // An empty policy that came or went changes nothing.
    if (changes.totals.objects === 0) return;
    out.points.push(changes);
    out.totals.points += 1;
    out.totals.objects += changes.totals.objects;
    out.totals.gained += changes.totals.gained;
    out.totals.lost += changes.totals.lost;
  });
  return out;
}

interface Side {
  resolution: Resolution | null;
  policies: Record<string, CompiledPolicy>;
  /** Rules of one object by id: points may be at different versions of one rule. */
  rulesAt(point: string, bind: string): (id: string) => ResolvedRule | undefined;
  reader: SourceReader | null;
}

function sideOf(side: FlowSide | null): Side {
  const policies: Record<string, CompiledPolicy> = Object.create(null);
  const places: Record<string, number> = Object.create(null);
  side?.policies.forEach((policy) => {
    policies[policy.point] = policy;
  });
  side?.resolution.objects.forEach((object, i) => {
    places[`${object.point} ${object.bind}`] = i;
  });
  const reader = side === null ? null : sourceReader(side.resolution);
  const rulesAt: Side['rulesAt'] = (point, bind) => {
    const rules: Record<string, ResolvedRule> = Object.create(null);
    const place = places[`${point} ${bind}`];
    (place === undefined ? [] : (side?.resolution.naming[place] ?? [])).forEach((it) => {
      rules[it.rule.id] = it;
    });
    return (id) => rules[id];
  };
  return { resolution: side?.resolution ?? null, policies, rulesAt, reader };
}

function comparePoint(point: string, was: Side, is: Side, bounds: ChangeBounds): PointChanges {
  const old = was.policies[point] ?? null;
  const now = is.policies[point] ?? null;
  const before = byBind(old);
  const after = byBind(now);
  const totals: ChangeTotals = { objects: 0, gained: 0, lost: 0 };
  const objects: ObjectFlowChanges[] = [];
  const binds = Object.keys(Object.assign({}, before, after)).filter((it) => before[it]?.hash !== after[it]?.hash);
  const nameOf = (bind: string): string => (after[bind] ?? (before[bind] as CompiledObject)).name;
  binds.sort((a, b) => compareText(nameOf(a), nameOf(b)));
  binds.forEach((bind) => {
    totals.objects += 1;
    const compared = compareOne(
      { object: before[bind] ?? null, rule: was.rulesAt(point, bind) },
      { object: after[bind] ?? null, rule: is.rulesAt(point, bind) },
    );
    totals.gained += compared.gained.length;
    totals.lost += compared.lost.length;
    if (objects.length >= bounds.objects) return;
    const tell = (list: TermChange[]): FlowChange[] =>
      list.slice(0, bounds.changes).map((it) => toldChange(it, point, was, is, bounds.examples));
    objects.push(
      Object.assign({}, compared.head, {
        gained: tell(compared.gained),
        lost: tell(compared.lost),
        totals: { gained: compared.gained.length, lost: compared.lost.length },
        trusted: compared.trusted,
        rules: compared.rules,
      }),
    );
  });
  const sized = (side: Side, policy: CompiledPolicy | null): PointSize | null =>
    policy === null ? null : sizeOfPoint(side.resolution as Resolution, policy);
  return {
    point,
    objects,
    totals,
    before: sized(was, old),
    after: sized(is, now),
    limits: now === null ? [] : limitFindings(now),
  };
}

/** The point asks for an object by its bind. */
function byBind(policy: CompiledPolicy | null): Record<string, CompiledObject> {
  const out: Record<string, CompiledObject> = Object.create(null);
  policy?.objects.forEach((object) => {
    out[object.bind] = object;
  });
  return out;
}

interface ComparedObject {
  head: Pick<ObjectFlowChanges, 'object' | 'bind' | 'change' | 'before' | 'after'>;
  gained: TermChange[];
  lost: TermChange[];
  trusted: ObjectFlowChanges['trusted'];
  rules: ObjectFlowChanges['rules'];
}

function compareOne(was: CompiledSide, is: CompiledSide): ComparedObject {
  const before = was.object;
  const after = is.object;
  const either = after ?? (before as CompiledObject);
  const compared = compareObject(was, is);
  const inOrder = (direction: TermChange['direction']): TermChange[] =>
    compared.changes.filter((it) => it.direction === direction).sort(byReach);
  return {
    head: {
      object: either.name,
      bind: either.bind,
      change: before === null ? 'new' : after === null ? 'gone' : 'changed',
      before: before === null ? null : settingsOf(before),
      after: after === null ? null : settingsOf(after),
    },
    gained: inOrder('gained'),
    lost: inOrder('lost'),
    trusted: {
      gained: beyond(after?.trustedProxies ?? null, before?.trustedProxies ?? null),
      lost: beyond(before?.trustedProxies ?? null, after?.trustedProxies ?? null),
    },
    rules: compared.rules,
  };
}

const REACH = ['any', 'cidr', 'network', 'workloads'];

/** What reaches furthest first: it is what a reader must not miss. */
function byReach(a: TermChange, b: TermChange): number {
  const rank = (it: TermChange): number => (it.term === null ? REACH.length : REACH.indexOf(it.term.kind));
  const text = (it: TermChange): string => JSON.stringify([it.group?.term, it.rules, it.ports, it.requests]);
  return rank(a) - rank(b) || compareText(text(a), text(b));
}

function settingsOf(object: CompiledObject): ObjectSettings {
  return {
    object: object.name,
    mode: object.mode,
    protocol: object.protocol,
    ports: object.ports.map(formatPortRange),
  };
}

function beyond(table: IntervalTable | null, other: IntervalTable | null): string[] {
  if (table === null) return [];
  return subtract(union(unpack(table)), union(other === null ? [] : unpack(other))).map(rangeText);
}

function toldChange(it: TermChange, point: string, was: Side, is: Side, maxExamples: number): FlowChange {
  const side = it.side === 'after' ? is : was;
  return {
    by: (it.requests[0] as Request).by,
    cause: it.cause,
    source: (side.reader as SourceReader).describe(it, point, maxExamples),
    ports: it.ports,
    requests: it.requests,
    rules: it.rules,
  };
}
