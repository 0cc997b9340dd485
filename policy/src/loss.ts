import type { Interval } from './address.ts';
import { intervalSize, parseAddress } from './address.ts';
import type { CompareClasses } from './class-loss.ts';
import { compareClasses } from './class-loss.ts';
import { sameParts } from './compile-memo.ts';
import type { CompiledObject } from './compiled.ts';
import type { Labelled } from './interval.ts';
import { contains, eachOverlap } from './interval.ts';
import { unpack } from './interval-table.ts';
import { eachWorkload } from './label-index.ts';
import type { Workload } from './model.ts';
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

/**
 * What was found of one object, and all that it was found from. Of objects that one rule protects the sources are the
 * same, and an edit of it takes the same from each: they are compared once.
 */
export interface KnownLoss {
  /** Classes and sources, before and now. Objects share them where their rules name the same groups. */
  tables: unknown[];
  /** Ports and rules, before and now. */
  rules: string;
  lostShare: number;
}

/** One source as a rule names it. */
interface Source {
  interval: Interval;
  /** Whose it is: a workload's name, or the address itself where only addresses are known; null for a range. */
  workload: string | null;
}

/**
 * Objects of `before` that lose something. `before` must be resolved at the same instant as `after`, so that what time
 * ended is in neither. The sources of a workload whose own document changed are left out where it is the only such
 * workload of the object: a single workload may always go. `known` collects what was found; it can be given to the next
 * point of the same two resolutions, and to no other.
 */
export function lostFlows(
  before: Resolution,
  beforeObjects: CompiledObject[],
  afterObjects: CompiledObject[],
  changed: (workload: string) => boolean,
  known?: KnownLoss[],
): ObjectLoss[] {
  const all = known ?? [];
  const after: Record<string, CompiledObject> = Object.create(null);
  // By bind: that is what the point asks for, and under another one nothing of the object is found.
  afterObjects.forEach((object) => {
    after[object.bind] = object;
  });
  const losses: ObjectLoss[] = [];
  beforeObjects.forEach((object) => {
    const now = after[object.bind] ?? null;
    if (now !== null && now.hash === object.hash) return;
    if (now === null && object.kind === 'workload') return;
    // Behind a proxy that is no longer believed every client is the proxy, which as a rule may nothing.
    const same = now !== null && believesAll(now, object) ? now : null;
    const lostShare = knownLoss(all, before, object, same, changed).lostShare;
    if (lostShare > 0) losses.push({ object: object.name, lostShare });
  });
  return losses;
}

/** Whether every proxy that was believed still is. */
function believesAll(now: CompiledObject, before: CompiledObject): boolean {
  const believed = now.trustedProxies === null ? [] : unpack(now.trustedProxies);
  return unpack(before.trustedProxies ?? {}).every((proxies) => {
    let covered = 0;
    eachOverlap(proxies, believed, (lo, hi) => {
      covered += intervalSize({ lo, hi });
    });
    return covered >= intervalSize(proxies);
  });
}

function knownLoss(
  known: KnownLoss[],
  resolution: Resolution,
  before: CompiledObject,
  after: CompiledObject | null,
  changed: (workload: string) => boolean,
): KnownLoss {
  const tables = [before.classes, before.sources, after?.classes, after?.sources];
  const rules = `${flowsOf(before)} ${after === null ? '' : flowsOf(after)}`;
  for (let i = 0; i < known.length; i += 1) {
    const it = known[i] as KnownLoss;
    if (sameParts(it.tables, tables) && it.rules === rules) return it;
  }
  const lostShare = objectLoss(sourcesOf(resolution, before), before, after, changed);
  const made = { tables, rules, lostShare };
  known.push(made);
  return made;
}

/** What may be asked for; who the rules are called by is no part of it. */
function flowsOf(object: CompiledObject): string {
  return JSON.stringify([object.ports, object.rules.map((it) => [it.action, it.ports, it.http])]);
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
      if (group.listed !== null) {
        // Whose addresses they are is not known here: each is a source of its own, by its own name.
        group.listed.forEach((address) => {
          const key = parseAddress(address);
          if (key !== null) add({ lo: key, hi: key }, address);
        });
        return;
      }
      if (group.members === null) {
        group.intervals.forEach((interval) => {
          add(interval, null);
        });
        return;
      }
      eachWorkload(group.members, (i) => {
        const workload = resolution.workloads[i] as Workload;
        workload.addresses.forEach((address) => {
          if (contains(group.intervals, address)) add({ lo: address, hi: address }, workload.name);
        });
      });
    });
  });
  return out;
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
  eachOverlap(source, before, (lo, hi, entry) => {
    const one = entry.value;
    let covered = 0;
    const whole = intervalSize({ lo, hi });
    eachOverlap({ lo, hi }, after, (from, to, other) => {
      const weight = intervalSize({ lo: from, hi: to });
      covered += weight;
      lost += (compare(one, other.value).lost * weight) / width;
    });
    const bare = compare(one, -1);
    total += (bare.total * whole) / width;
    lost += (bare.lost * Math.max(0, whole - covered)) / width;
  });
  return { total, lost };
}
