import type { Interval } from './address.ts';
import { intervalSize } from './address.ts';
import type { CompiledObject, CompiledRule, HttpCondition } from './compiled.ts';
import type { Labelled } from './interval.ts';
import { compareKeys, contains } from './interval.ts';
import { unpack } from './interval-table.ts';
import { eachBit } from './label-index.ts';
import type { Workload } from './model.ts';
import { includesPort } from './ports.ts';
import { pathMatches } from './request.ts';
import type { Resolution } from './resolve.ts';

/**
 * How much of what an object allowed a new policy takes away. A flow is one source that a rule names (a workload's
 * address, a network's range) × one port that the object lists × one request that a rule describes (a method, a host and
 * a path pattern); a source of which only a part is lost counts for that part. The share decides whether a policy is
 * held for a person to accept.
 */
export interface ObjectLoss {
  object: string;
  /** 0 to 1. */
  lostShare: number;
}

/** One source as a rule names it. */
interface Source {
  interval: Interval;
  workload: string | null;
}

/**
 * Objects of `before` that lose something. `before` must be resolved at the same instant as `after`, so that what time
 * ended is in neither. The sources of a workload whose own document changed are left out where it is the only such
 * workload of the object: a single workload may always go.
 */
export function lostFlows(
  before: Resolution,
  beforeObjects: CompiledObject[],
  afterObjects: CompiledObject[],
  changed: (workload: string) => boolean,
): ObjectLoss[] {
  const after: Record<string, CompiledObject> = Object.create(null);
  afterObjects.forEach((object) => {
    after[object.name] = object;
  });
  const losses: ObjectLoss[] = [];
  beforeObjects.forEach((object) => {
    const now = after[object.name] ?? null;
    if (now !== null && now.hash === object.hash) return;
    if (now === null && object.kind === 'workload') return;
    const lostShare = objectLoss(sourcesOf(before, object), object, now, changed);
    if (lostShare > 0) losses.push({ object: object.name, lostShare });
  });
  return losses;
}

function objectLoss(
  sources: Source[],
  before: CompiledObject,
  after: CompiledObject | null,
  changed: (workload: string) => boolean,
): number {
  const judge = compareClasses(before, after);
  const old = unpack(before.sources);
  const now = after === null ? [] : unpack(after.sources);
  let total = 0;
  let lost = 0;
  let excusable = 0;
  const excused: string[] = [];
  sources.forEach((source) => {
    const share = sourceLoss(source.interval, old, now, judge);
    total += share.total;
    if (share.lost > 0 && source.workload !== null && changed(source.workload)) {
      if (excused.indexOf(source.workload) < 0) excused.push(source.workload);
      excusable += share.lost;
    } else lost += share.lost;
  });
  if (excused.length > 1) {
    lost += excusable;
    excusable = 0;
  }
  const width = lostWidth(old, now, judge, excusable);
  return total === 0 ? 0 : Math.max(lost / total, width);
}

/**
 * The same share with every address weighing the same, so that `any` beside fifty workloads does not go unnoticed; where
 * sources weigh the same, fifty workloads beside a wide network don't. A cut that is large either way is held.
 */
function lostWidth(before: Labelled[], after: Labelled[], compare: CompareClasses, excused: number): number {
  let total = 0;
  let lost = 0;
  before.forEach((interval) => {
    const size = intervalSize(interval);
    const share = sourceLoss(interval, before, after, compare);
    total += share.total * size;
    lost += share.lost * size;
  });
  return total === 0 ? 0 : Math.max(0, lost - excused) / total;
}

function sourcesOf(resolution: Resolution, object: CompiledObject): Source[] {
  const out: Source[] = [];
  const seen: Record<string, true> = Object.create(null);
  const add = (interval: Interval, workload: string | null): void => {
    const key = `${interval.lo}-${interval.hi}`;
    if (seen[key] === true) return;
    seen[key] = true;
    out.push({ interval, workload });
  };
  const allowed: Record<string, true> = Object.create(null);
  object.rules.forEach((rule) => {
    if (rule.action === 'allow') allowed[rule.id] = true;
  });
  resolution.rules.forEach((rule) => {
    if (allowed[rule.rule.id] !== true) return;
    rule.groups.forEach((group) => {
      if (group.members === null) {
        group.intervals.forEach((interval) => {
          add(interval, null);
        });
        return;
      }
      eachBit(group.members, (i) => {
        const workload = resolution.workloads[i] as Workload;
        workload.addresses.forEach((address) => {
          if (contains(group.intervals, address)) add({ lo: address, hi: address }, workload.name);
        });
      });
    });
  });
  return out;
}

/** Flows allowed before and lost now, for two classes (-1: no rule names the source). */
type CompareClasses = (before: number, after: number) => { total: number; lost: number };

function compareClasses(before: CompiledObject, after: CompiledObject | null): CompareClasses {
  const known: Record<string, { total: number; lost: number }> = Object.create(null);
  const pieces = portPieces(before, after);
  return (one, other) => {
    const key = `${one} ${other}`;
    const memo = known[key];
    if (memo !== undefined) return memo;
    const result = { total: 0, lost: 0 };
    pieces.forEach((port) => {
      const was = requestsAt(before, one, port);
      const is = after === null ? NOTHING : requestsAt(after, other, port);
      eachRequest(was, (request) => {
        result.total += port.width;
        if (!isAllowed(is, request)) result.lost += port.width;
      });
    });
    known[key] = result;
    return result;
  };
}

interface PortPiece {
  protocol: 'tcp' | 'udp';
  /** The first of them. */
  number: number;
  width: number;
}

/** The ports of the object before, cut where any rule, or the object's own list, begins or ends on either side. */
function portPieces(before: CompiledObject, after: CompiledObject | null): PortPiece[] {
  const edges: { protocol: 'tcp' | 'udp'; at: number }[] = [];
  [before, after].forEach((object) => {
    if (object === null) return;
    [object.ports].concat(object.rules.map((rule) => rule.ports ?? [])).forEach((ranges) => {
      ranges.forEach((it) => {
        edges.push({ protocol: it.protocol, at: it.from }, { protocol: it.protocol, at: it.to + 1 });
      });
    });
  });
  const out: PortPiece[] = [];
  before.ports.forEach((range) => {
    const cuts: Record<number, true> = {};
    cuts[range.from] = true;
    cuts[range.to + 1] = true;
    edges.forEach((edge) => {
      if (edge.protocol === range.protocol && edge.at > range.from && edge.at <= range.to) cuts[edge.at] = true;
    });
    const starts = Object.keys(cuts).map(Number);
    starts.sort((a, b) => a - b);
    for (let i = 1; i < starts.length; i += 1) {
      const number = starts[i - 1] as number;
      out.push({ protocol: range.protocol, number, width: (starts[i] as number) - number });
    }
  });
  return out;
}

/** What a class may ask for on one port: whatever fits an entry of `allowed` and none of `denied`. */
interface Requests {
  allowed: HttpCondition[];
  denied: HttpCondition[];
}

const NOTHING: Requests = { allowed: [], denied: [] };
/** A rule without conditions: every request fits. */
const EVERY_REQUEST: HttpCondition = {};

function requestsAt(object: CompiledObject, id: number, port: PortPiece): Requests {
  if (id < 0 || !includesPort(object.ports, port)) return NOTHING;
  let denied: HttpCondition[] = [];
  let allowed: HttpCondition[] = [];
  (object.classes[id] as number[]).forEach((index) => {
    const rule = object.rules[index] as CompiledRule;
    if (rule.ports !== null && !includesPort(rule.ports, port)) return;
    if (rule.action === 'deny') denied = denied.concat(rule.http ?? [EVERY_REQUEST]);
    else allowed = allowed.concat(rule.http ?? [EVERY_REQUEST]);
  });
  return { allowed, denied };
}

/** Allowed requests, one for each method and host that an entry lists; what a wider entry holds is not told apart. */
function eachRequest(requests: Requests, visit: (request: HttpCondition) => void): void {
  const allowed = requests.allowed;
  allowed.forEach((entry, i) => {
    const isHeld = allowed.some((it, k) => k !== i && covers(it, entry) && (k < i || !covers(entry, it)));
    if (isHeld) return;
    (entry.methods ?? [null]).forEach((method) => {
      (entry.hosts ?? [null]).forEach((host) => {
        const request: HttpCondition = {};
        if (method !== null) request.methods = [method];
        if (host !== null) request.hosts = [host];
        if (entry.path !== undefined) request.path = entry.path;
        if (isAllowed(requests, request)) visit(request);
      });
    });
  });
}

function isAllowed(requests: Requests, request: HttpCondition): boolean {
  const fits = (it: HttpCondition): boolean => covers(it, request);
  return requests.allowed.some(fits) && !requests.denied.some(fits);
}

/** Whether every request that fits `narrow` fits `wide`. */
function covers(wide: HttpCondition, narrow: HttpCondition): boolean {
  return (
    includesAll(wide.methods, narrow.methods) &&
    includesAll(wide.hosts, narrow.hosts) &&
    coversPath(wide.path, narrow.path)
  );
}

function includesAll(wide: string[] | undefined, narrow: string[] | undefined): boolean {
  if (wide === undefined) return true;
  return narrow !== undefined && narrow.every((it) => wide.indexOf(it) >= 0);
}

function coversPath(wide: string | undefined, narrow: string | undefined): boolean {
  // Every path begins with a slash.
  if (wide === undefined || wide === '/*') return true;
  if (narrow === undefined) return false;
  if (wide === narrow) return true;
  return narrow.slice(-2) === '/*'
    ? wide.slice(-2) === '/*' && pathMatches(wide, narrow.slice(0, -2))
    : pathMatches(wide, narrow);
}

/** The source's flows, each address of it weighing the same and all together one. */
function sourceLoss(
  source: Interval,
  before: Labelled[],
  after: Labelled[],
  compare: CompareClasses,
): { total: number; lost: number } {
  const width = intervalSize(source);
  let total = 0;
  let lost = 0;
  eachOverlap(source, before, (lo, hi, one) => {
    let covered = 0;
    const whole = intervalSize({ lo, hi });
    eachOverlap({ lo, hi }, after, (from, to, other) => {
      const weight = intervalSize({ lo: from, hi: to });
      covered += weight;
      lost += (compare(one, other).lost * weight) / width;
    });
    const bare = compare(one, -1);
    total += (bare.total * whole) / width;
    lost += (bare.lost * Math.max(0, whole - covered)) / width;
  });
  return { total, lost };
}

function eachOverlap(within: Interval, list: Labelled[], visit: (lo: string, hi: string, value: number) => void): void {
  let from = 0;
  let to = list.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (compareKeys((list[middle] as Labelled).hi, within.lo) < 0) from = middle + 1;
    else to = middle;
  }
  for (let i = from; i < list.length; i += 1) {
    const it = list[i] as Labelled;
    if (compareKeys(it.lo, within.hi) > 0) return;
    visit(it.lo > within.lo ? it.lo : within.lo, it.hi < within.hi ? it.hi : within.hi, it.value);
  }
}
