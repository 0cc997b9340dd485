import type { AddressKey } from './address.ts';
import { predecessor, successor } from './address.ts';
import type { IntervalTable } from './compiled.ts';
import type { Group } from './groups.ts';
import type { Labelled } from './interval.ts';
import { CLASS_LIMIT, pack } from './interval-table.ts';
import type { ResolvedRule } from './resolve.ts';
import { compareText } from './text-order.ts';

/**
 * The rules of one object → classes: disjoint intervals of sources, each with the set of rules that name it. Which
 * addresses the groups hold, and at which places of the list they stand, is all that the answer depends on: neither the
 * object nor the names, actions and ports of the rules are looked at, so that objects can share it.
 */
export interface SourceClasses {
  /** Each class is the sorted list of indices into the rules. */
  classes: number[][];
  /** Address → index into `classes`. */
  sources: IntervalTable;
}

interface Edge {
  /** Where the set of groups changes; null: past the last address. */
  at: AddressKey;
  group: number;
  opens: boolean;
}

/** Null: more classes than a table has numbers for. What is as in the earlier table is taken from it. */
export function sourceClasses(rules: ResolvedRule[], earlier?: IntervalTable): SourceClasses | null {
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
  const names = classNames(ruleIndices);
  const intervals: Labelled[] = [];
  const fits = sweep(groups, 8, names.classOf, intervals) && sweep(groups, 32, names.classOf, intervals);
  return fits ? { classes: names.classes, sources: pack(intervals, earlier) } : null;
}

/** `classOf` says -1 where there is no number left. */
function classNames(ruleIndices: number[][]): { classes: number[][]; classOf(open: number[]): number } {
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
      if (id >= CLASS_LIMIT) return -1;
      classes.push(list);
      byRules[text] = id;
    }
    byGroups[key] = id;
    return id;
  };
  return { classes, classOf };
}

/**
 * Sweeps over the edges of all groups; between two edges the set of groups, and so the set of rules, is constant. False:
 * there was no number left for a class.
 */
function sweep(groups: Group[], width: number, classOf: (open: number[]) => number, out: Labelled[]): boolean {
  const edges = edgesOf(groups, width);
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
    const id = classOf(open);
    if (id < 0) return false;
    append(out, lo, hi, id);
  }
  return true;
}

function edgesOf(groups: Group[], width: number): Edge[] {
  const edges: Edge[] = [];
  groups.forEach((group, index) => {
    group.intervals.forEach((it) => {
      if (it.lo.length !== width) return;
      edges.push({ at: it.lo, group: index, opens: true });
      const end = successor(it.hi);
      if (end !== null) edges.push({ at: end, group: index, opens: false });
    });
  });
  return edges.sort((a, b) => compareText(a.at, b.at));
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
