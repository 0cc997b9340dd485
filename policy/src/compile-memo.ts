import type { Interval } from './address.ts';
import type { CompiledObject } from './compiled.ts';
import type { Group } from './groups.ts';
import type { ResolvedRule } from './resolve.ts';
import type { SourceClasses } from './source-classes.ts';
import { sourceClasses } from './source-classes.ts';

/**
 * What compiling takes over: an object that is as it was, and between objects the sources of rules that name the same
 * groups in the same way. What something was made from is compared by identity, so taking over never changes a byte.
 * For each point it holds what its newest compile used, and nothing else: an object that left takes along what no other
 * object shares.
 */
export interface CompileMemo {
  /** By point and name. */
  objects: Record<string, KeptObjects>;
  /** Shared by all points; those that can be equal stand together. */
  tables?: Record<string, SourceTable[]>;
}

export type KeptObjects = Record<string, KeptObject>;

export interface KeptObject {
  from: unknown[];
  table: SourceTable;
  /** Null: what can't be compiled. Kept too, so that a policy that no object can carry is found out once. */
  compiled: CompiledObject | null;
}

export interface SourceTable {
  /** The addresses of every group of every rule, in their order. */
  of: Interval[][];
  /** Null: too many classes. */
  found: SourceClasses | null;
  /** Says how many groups each rule has: tables of one key differ in `of` alone. */
  key: string;
  /** How many objects of `CompileMemo.objects` have it. */
  users: number;
  text: string | null;
  asked: boolean;
}

export function emptyMemo(): CompileMemo {
  return { objects: Object.create(null) };
}

/** The sources of these rules, made where no object has them yet: with strings of `before` where they are equal. */
export function sourceTable(memo: CompileMemo, rules: ResolvedRule[], before?: SourceTable): SourceTable {
  const key = keyOf(rules);
  const tables = tablesOf(memo);
  const alike = tables[key] ?? [];
  for (let i = 0; i < alike.length; i += 1) {
    const table = alike[i] as SourceTable;
    if (isMadeOf(table, rules)) return table;
  }
  const found = sourceClasses(rules, before?.found?.sources);
  const table = { of: partsOf(rules), found, key, users: 0, text: null, asked: false };
  alike.push(table);
  tables[key] = alike;
  return table;
}

/** What the newest compile of a point used takes the place of what the one before it did. */
export function keepObjects(memo: CompileMemo, point: string, now: KeptObjects): void {
  const before = memo.objects[point];
  memo.objects[point] = now;
  eachTable(now, (table) => {
    table.users += 1;
  });
  if (before === undefined) return;
  eachTable(before, (table) => {
    table.users -= 1;
    if (table.users === 0) drop(memo, table);
  });
}

/** Its classes and sources as JSON. Kept from the second object on: one that shares with nobody has no use for it. */
export function textOf(table: SourceTable): string {
  if (table.text !== null) return table.text;
  const text = JSON.stringify(table.found);
  if (table.asked) table.text = text;
  table.asked = true;
  return text;
}

export function sameParts(a: unknown[], b: unknown[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false;
  return true;
}

function partsOf(rules: ResolvedRule[]): Interval[][] {
  const parts: Interval[][] = [];
  rules.forEach((rule) => {
    rule.groups.forEach((group) => {
      parts.push(group.intervals);
    });
  });
  return parts;
}

/** For a table of the same key. The parts can be many, and are not written down to be compared. */
function isMadeOf(table: SourceTable, rules: ResolvedRule[]): boolean {
  let at = 0;
  for (let i = 0; i < rules.length; i += 1) {
    const groups = (rules[i] as ResolvedRule).groups;
    for (let j = 0; j < groups.length; j += 1) {
      if (table.of[at] !== (groups[j] as Group).intervals) return false;
      at += 1;
    }
  }
  return true;
}

/** How many groups each rule has, and enough besides that tables of one key are few. */
function keyOf(rules: ResolvedRule[]): string {
  const groups = rules.map((rule) => rule.groups.length).join();
  const last = rules[rules.length - 1]?.groups;
  return `${groups} ${rules[0]?.groups[0]?.term} ${last?.[last.length - 1]?.term}`;
}

function tablesOf(memo: CompileMemo): Record<string, SourceTable[]> {
  memo.tables ??= Object.create(null) as Record<string, SourceTable[]>;
  return memo.tables;
}

function eachTable(objects: KeptObjects, visit: (table: SourceTable) => void): void {
  Object.keys(objects).forEach((name) => {
    visit((objects[name] as KeptObject).table);
  });
}

function drop(memo: CompileMemo, table: SourceTable): void {
  const tables = tablesOf(memo);
  const others = (tables[table.key] ?? []).filter((it) => it !== table);
  if (others.length > 0) tables[table.key] = others;
  else delete tables[table.key];
}
