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
 * address, a network's range) × one port that the object lists × one request that a rule describes; a source of which
 * only a part is lost counts for that part. The share decides whether a policy is held for a person to accept.
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
  if (excused.length > 1) lost += excusable;
  return total === 0 ? 0 : lost / total;
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
  const ports = portPieces(before);
  return (one, other) => {
    const key = `${one} ${other}`;
    const memo = known[key];
    if (memo !== undefined) return memo;
    let total = 0;
    let lost = 0;
    ports.forEach((port) => {
      const now = after === null ? [] : allowedRequests(after, other, port);
      allowedRequests(before, one, port).forEach((request) => {
        total += 1;
        if (!now.some((wider) => covers(wider, request))) lost += 1;
      });
    });
    const result = { total, lost };
    known[key] = result;
    return result;
  };
}

/** One port of every stretch of the object's ports within which no rule begins or ends. */
function portPieces(object: CompiledObject): { protocol: 'tcp' | 'udp'; number: number }[] {
  const out: { protocol: 'tcp' | 'udp'; number: number }[] = [];
  object.ports.forEach((range) => {
    const starts: number[] = [range.from];
    object.rules.forEach((rule) => {
      (rule.ports ?? []).forEach((it) => {
        [it.from, it.to + 1].forEach((at) => {
          if (it.protocol === range.protocol && at > range.from && at <= range.to && starts.indexOf(at) < 0)
            starts.push(at);
        });
      });
    });
    starts.forEach((number) => {
      out.push({ protocol: range.protocol, number });
    });
  });
  return out;
}

/** What the class may ask for on this port; null stands for every request. */
function allowedRequests(
  object: CompiledObject,
  id: number,
  port: { protocol: 'tcp' | 'udp'; number: number },
): (HttpCondition | null)[] {
  if (id < 0 || !includesPort(object.ports, port)) return [];
  const rules = (object.classes[id] as number[])
    .map((index) => object.rules[index] as CompiledRule)
    .filter((rule) => rule.ports === null || includesPort(rule.ports, port));
  if (rules.some((rule) => rule.action === 'deny' && rule.http === null)) return [];
  let denied: HttpCondition[] = [];
  let allowed: (HttpCondition | null)[] = [];
  rules.forEach((rule) => {
    if (rule.action === 'deny') denied = denied.concat(rule.http ?? []);
    else allowed = allowed.concat(rule.http === null ? [null] : rule.http);
  });
  return allowed.filter((request) => request === null || !denied.some((it) => covers(it, request)));
}

/** Whether every request that fits `narrow` fits `wide`. */
function covers(wide: HttpCondition | null, narrow: HttpCondition | null): boolean {
  if (wide === null) return true;
  if (narrow === null) return false;
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
  if (wide === undefined) return true;
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
