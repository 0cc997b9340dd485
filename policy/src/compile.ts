import type { AddressKey, Interval } from './address.ts';
import { predecessor, successor } from './address.ts';
import type { CompiledObject, CompiledPolicy, CompiledRule, IntervalTable } from './compiled.ts';
import { findingAt } from './field-reader.ts';
import type { Finding } from './finding.ts';
import type { Group } from './groups.ts';
import type { Labelled } from './interval.ts';
import { union } from './interval.ts';
import { CLASS_LIMIT, pack } from './interval-table.ts';
import type { ProtectedObject } from './model.ts';
import type { Resolution, ResolvedRule } from './resolve.ts';
import { compareText } from './text-order.ts';

/**
 * What one point receives. For each object the sources become classes: disjoint intervals, each with the set of rules
 * that name it, so that looking an address up is one search whatever overlaps. Equal inputs give equal bytes.
 */

/** Hex sha256 of a text; handed in because this folder runs where there is no crypto module. */
export type Digest = (text: string) => string;

export interface CompileOptions {
  revision: number;
  digest: Digest;
  /** Objects compiled earlier; what it was compiled from decides whether one is taken over. */
  memo?: CompileMemo;
}

export interface CompileMemo {
  objects: Record<string, { from: unknown[]; compiled: CompiledObject }>;
}

/** Throws EDW_ERR_TOO_FRAGMENTED; `compileFault` makes a finding of it. */
export function compilePoint(resolution: Resolution, point: string, options: CompileOptions): CompiledPolicy {
  const objects: CompiledObject[] = [];
  resolution.objects.forEach((object, i) => {
    if (object.point !== point) return;
    const rules = (resolution.naming[i] as ResolvedRule[]).filter((rule) => !rule.ended);
    objects.push(compileObject(object, rules, options));
  });
  const hash = options.digest(objects.map((object) => `${object.name} ${object.hash}\n`).join(''));
  return { format: 1, point, revision: options.revision, hash, objects };
}

/** What `compilePoint` threw, as a finding at the object that can't be compiled; null where the policy is not at fault. */
export function compileFault(thrown: unknown): Finding | null {
  return thrown instanceof Error ? ((thrown as { finding?: Finding }).finding ?? null) : null;
}

/** These points, in their order. What can't be compiled is left out of `policies`, and told in `faults`. */
export function compilePoints(
  resolution: Resolution,
  points: readonly string[],
  options: CompileOptions,
): { policies: CompiledPolicy[]; faults: Finding[] } {
  const policies: CompiledPolicy[] = [];
  const faults: Finding[] = [];
  points.forEach((point) => {
    try {
      policies.push(compilePoint(resolution, point, options));
    } catch (thrown) {
      const fault = compileFault(thrown);
      if (fault === null) throw thrown;
      faults.push(fault);
    }
  });
  return { policies, faults };
}

/** Every point that protects something, sorted. */
export function pointsOf(resolution: Resolution): string[] {
  const seen: Record<string, true> = Object.create(null);
  resolution.objects.forEach((object) => {
    seen[object.point] = true;
  });
  return Object.keys(seen).sort();
}

function compileObject(object: ProtectedObject, rules: ResolvedRule[], options: CompileOptions): CompiledObject {
  const from: unknown[] = [object.document.value, object.mode, object.failsafe];
  rules.forEach((rule) => {
    from.push(rule.rule, JSON.stringify(rule.ports));
    rule.groups.forEach((group) => {
      from.push(group.intervals);
    });
  });
  const known = options.memo?.objects[object.name];
  if (known !== undefined && sameParts(known.from, from)) return known.compiled;
  const compiled = compileFresh(object, rules, options.digest);
  if (options.memo !== undefined) options.memo.objects[object.name] = { from, compiled };
  return compiled;
}

function compileFresh(object: ProtectedObject, rules: ResolvedRule[], digest: Digest): CompiledObject {
  const classified = classify(object, rules);
  const body = {
    bind: object.bind,
    kind: object.kind,
    protocol: object.protocol,
    mode: object.mode,
    ports: object.ports,
    trustedProxies: tableOf(object.trustedProxies),
    failsafe: tableOf(object.failsafe),
    rules: rules.map(compileRule),
    classes: classified.classes,
    sources: pack(classified.intervals),
  };
  // Equal content gives equal bytes: keys stand in this order, here and in what is hashed.
  return Object.assign({ name: object.name, hash: digest(JSON.stringify([object.name, body])) }, body);
}

function compileRule(rule: ResolvedRule): CompiledRule {
  return { id: rule.rule.id, action: rule.rule.action, ports: rule.ports, http: rule.rule.http };
}

function tableOf(intervals: Interval[]): IntervalTable | null {
  if (intervals.length === 0) return null;
  return pack(union(intervals).map((it) => ({ lo: it.lo, hi: it.hi, value: 0 })));
}

interface Edge {
  /** Where the set of groups changes; null: past the last address. */
  at: AddressKey;
  group: number;
  opens: boolean;
}

/** Sweeps over the edges of all groups; between two edges the set of groups, and so the set of rules, is constant. */
function classify(object: ProtectedObject, rules: ResolvedRule[]): { intervals: Labelled[]; classes: number[][] } {
  const groups: Group[] = [];
  const ruleIndices: number[][] = [];
  rules.forEach((rule, index) => {
    rule.groups.forEach((group) => {
      const at = groups.indexOf(group);
      if (at < 0) {
        groups.push(group);
        ruleIndices.push([index]);
      } else if ((ruleIndices[at] as number[]).indexOf(index) < 0) (ruleIndices[at] as number[]).push(index);
    });
  });
  const names = classNames(object, ruleIndices);
  const intervals: Labelled[] = [];
  sweep(groups, 8, names.classOf, intervals);
  sweep(groups, 32, names.classOf, intervals);
  return { intervals, classes: names.classes };
}

function classNames(
  object: ProtectedObject,
  ruleIndices: number[][],
): { classes: number[][]; classOf(open: number[]): number } {
  const classes: number[][] = [];
  const byGroups: Record<string, number> = Object.create(null);
  const byRules: Record<string, number> = Object.create(null);
  const classOf = (open: number[]): number => {
    const key = open.join();
    const known = byGroups[key];
    if (known !== undefined) return known;
    const rules: Record<number, true> = {};
    open.forEach((group) => {
      (ruleIndices[group] as number[]).forEach((rule) => {
        rules[rule] = true;
      });
    });
    const list = Object.keys(rules).map(Number);
    list.sort((a, b) => a - b);
    const text = list.join();
    let id = byRules[text];
    if (id === undefined) {
      id = classes.length;
      if (id >= CLASS_LIMIT) throw tooFragmented(object);
      classes.push(list);
      byRules[text] = id;
    }
    byGroups[key] = id;
    return id;
  };
  return { classes, classOf };
}

function sweep(groups: Group[], width: number, classOf: (open: number[]) => number, out: Labelled[]): void {
  const edges: Edge[] = [];
  groups.forEach((group, index) => {
    group.intervals.forEach((it) => {
      if (it.lo.length !== width) return;
      edges.push({ at: it.lo, group: index, opens: true });
      const end = successor(it.hi);
      if (end !== null) edges.push({ at: end, group: index, opens: false });
    });
  });
  edges.sort((a, b) => compareText(a.at, b.at));
  const open: number[] = [];
  let at = 0;
  while (at < edges.length) {
    const lo = (edges[at] as Edge).at;
    while (at < edges.length && (edges[at] as Edge).at === lo) {
      const edge = edges[at] as Edge;
      if (edge.opens) insert(open, edge.group);
      else open.splice(open.indexOf(edge.group), 1);
      at += 1;
    }
    if (open.length === 0) continue;
    const next = edges[at];
    const hi = next === undefined ? lastKey(width) : (predecessor(next.at) as AddressKey);
    append(out, lo, hi, classOf(open));
  }
}

function append(out: Labelled[], lo: AddressKey, hi: AddressKey, value: number): void {
  const last = out[out.length - 1];
  if (last !== undefined && last.value === value && last.hi.length === lo.length && successor(last.hi) === lo)
    last.hi = hi;
  else out.push({ lo, hi, value });
}

/** Keeps the open groups sorted, so that equal sets give equal keys. */
function insert(open: number[], group: number): void {
  let at = open.length;
  while (at > 0 && (open[at - 1] as number) > group) at -= 1;
  open.splice(at, 0, group);
}

function lastKey(width: number): AddressKey {
  return width === 8 ? 'ffffffff' : 'ffffffffffffffffffffffffffffffff';
}

function sameParts(a: unknown[], b: unknown[]): boolean {
  return a.length === b.length && a.every((part, i) => part === b[i]);
}

function tooFragmented(object: ProtectedObject): Error {
  const code = 'EDW_ERR_TOO_FRAGMENTED';
  const message = `the rules of '${object.name}' divide its sources into more than ${CLASS_LIMIT} classes`;
  return Object.assign(new Error(message), { code, finding: findingAt(object.document, ['name'], code, message) });
}
