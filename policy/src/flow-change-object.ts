import type { Interval } from './address.ts';
import type { CompiledObject, IntervalTable } from './compiled.ts';
import type { FlowUnit, Standing } from './flow-change-effect.ts';
import { classText, compareStandings } from './flow-change-effect.ts';
import type { Said } from './flow-stretch.ts';
import { addSpan, eachStretch } from './flow-stretch.ts';
import type { Group } from './groups.ts';
import { intersect } from './interval.ts';
import { unpack } from './interval-table.ts';
import type { SourceTerm } from './model.ts';
import { formatPortRange } from './ports.ts';
import type { ResolvedRule } from './resolve.ts';
import type { TermChange } from './term-change.ts';
import { joinedChanges } from './term-change.ts';

/**
 * What one object gains and loses, by the terms of its rules. It is decided on intervals of addresses and their classes,
 * so what another rule allows to the same source all the same is no loss; it is told by the terms that name them.
 */
/** One side: what was compiled, and the rules that it was compiled from. */
export interface CompiledSide {
  object: CompiledObject | null;
  rule(id: string): ResolvedRule | undefined;
}

export interface ObjectComparison {
  changes: TermChange[];
  /** Ids of rules for this object. */
  rules: { added: string[]; removed: string[]; changed: string[] };
}

interface Pair {
  before: Standing;
  after: Standing;
  units: FlowUnit[];
  spans: Interval[];
}

export function compareObject(before: CompiledSide, after: CompiledSide): ObjectComparison {
  const changed = changedRules(before.object, after.object);
  const parts: TermChange[] = [];
  pairsOf(before.object, after.object).forEach((pair) => {
    pair.units.forEach((unit) => {
      partsOf(unit, pair, before, after, changed.isSame).forEach((part) => {
        parts.push(part);
      });
    });
  });
  return { changes: joinedChanges(parts), rules: changed.rules };
}

/** Classes that stand for the same addresses, where anything is gained or lost between them. */
function pairsOf(before: CompiledObject | null, after: CompiledObject | null): Pair[] {
  const compare = compareStandings(before, after);
  const samePorts = JSON.stringify(before?.ports) === JSON.stringify(after?.ports);
  const known: Record<string, Pair | null> = Object.create(null);
  const out: Pair[] = [];
  const said = saidBy(before, after);
  eachStretch(said.before, said.after, (lo, hi, was, is) => {
    const key = `${was ?? -1} ${is ?? -1}`;
    let pair = known[key];
    if (pair === undefined) {
      const old = standingOf(was);
      const now = standingOf(is);
      const same = samePorts && old.safe === now.safe && classText(before, old.id) === classText(after, now.id);
      const units = same ? [] : compare(old, now);
      pair = units.length === 0 ? null : { before: old, after: now, units, spans: [] };
      known[key] = pair;
      if (pair !== null) out.push(pair);
    }
    if (pair !== null) addSpan(pair.spans, lo, hi);
  });
  return out;
}

/** A class and whether the failsafe holds the source, in one number. */
function standingOf(said: number | null): Standing {
  return said === null ? { id: -1, safe: false } : { id: (said >> 1) - 1, safe: (said & 1) === 1 };
}

function saidBy(
  before: CompiledObject | null,
  after: CompiledObject | null,
): { before: Said<number>[]; after: Said<number>[] } {
  const plain = (before?.failsafe ?? null) === null && (after?.failsafe ?? null) === null;
  if (before !== null && after !== null && plain && sameClasses(before, after)) {
    // Where classes mean the same, a bucket that reads the same holds nothing that moved.
    return {
      before: standings(without(before.sources, after.sources), null),
      after: standings(without(after.sources, before.sources), null),
    };
  }
  return {
    before: before === null ? [] : standings(before.sources, before.failsafe),
    after: after === null ? [] : standings(after.sources, after.failsafe),
  };
}

function sameClasses(before: CompiledObject, after: CompiledObject): boolean {
  const text = (it: CompiledObject): string => JSON.stringify([it.ports, it.rules, it.classes]);
  return text(before) === text(after);
}

function without(table: IntervalTable, other: IntervalTable): IntervalTable {
  const out: IntervalTable = {};
  Object.keys(table).forEach((name) => {
    if (table[name] !== other[name]) out[name] = table[name] as string;
  });
  return out;
}

function standings(sources: IntervalTable, failsafe: IntervalTable | null): Said<number>[] {
  const classes = unpack(sources).map((it) => ({ lo: it.lo, hi: it.hi, value: (it.value + 1) << 1 }));
  if (failsafe === null) return classes;
  const out: Said<number>[] = [];
  eachStretch(classes, unpack(failsafe), (lo, hi, one, safe) => {
    out.push({ lo, hi, value: (one ?? 0) | (safe === null ? 0 : 1) });
  });
  return out;
}

type IsSame = (id: string) => boolean;

function changedRules(
  before: CompiledObject | null,
  after: CompiledObject | null,
): { rules: ObjectComparison['rules']; isSame: IsSame } {
  const texts = (object: CompiledObject | null): Record<string, string> => {
    const out: Record<string, string> = Object.create(null);
    (object?.rules ?? []).forEach((rule) => {
      out[rule.id] = JSON.stringify(rule);
    });
    return out;
  };
  const was = texts(before);
  const is = texts(after);
  const rules: ObjectComparison['rules'] = { added: [], removed: [], changed: [] };
  Object.keys(is).forEach((id) => {
    if (was[id] === undefined) rules.added.push(id);
    else if (was[id] !== is[id]) rules.changed.push(id);
  });
  Object.keys(was).forEach((id) => {
    if (is[id] === undefined) rules.removed.push(id);
  });
  [rules.added, rules.removed, rules.changed].forEach((ids) => {
    ids.sort();
  });
  return { rules, isSame: (id) => was[id] !== undefined && was[id] === is[id] };
}

/** The change once for each term that names its sources. */
function partsOf(unit: FlowUnit, pair: Pair, before: CompiledSide, after: CompiledSide, isSame: IsSame): TermChange[] {
  const from = unit.side === 'after' ? after : before;
  const other = unit.side === 'after' ? before : after;
  const namedThere = namesIn(other.object, unit.side === 'after' ? pair.before.id : pair.after.id);
  const parts: Record<string, TermChange> = Object.create(null);
  const make = (
    term: SourceTerm | null,
    group: Group | null,
    cause: TermChange['cause'],
    rule: string[],
  ): TermChange => ({
    direction: unit.direction,
    side: unit.side,
    cause,
    term,
    group,
    rules: rule,
    ports: unit.ports.map(formatPortRange),
    requests: [unit.request],
    spans: pair.spans.slice(),
  });
  if (unit.rules.length === 0) return [make(null, null, 'failsafe', [])];
  unit.rules.forEach((id) => {
    const rule = from.rule(id) as ResolvedRule;
    rule.groups.forEach((group, i) => {
      const cause = causeOf(id, group, other, isSame, namedThere);
      const key = `${cause} ${group.term}`;
      const known = parts[key];
      if (known === undefined) parts[key] = make(rule.rule.from[i] as SourceTerm, group, cause, [id]);
      else if (known.rules.indexOf(id) < 0) known.rules.push(id);
    });
  });
  const out = Object.keys(parts).map((key) => parts[key] as TermChange);
  // A rule with one term names all of them by it.
  if (out.length > 1) {
    out.forEach((it) => {
      it.spans = intersect(it.spans, (it.group as Group).intervals);
    });
  }
  return out.filter((it) => it.spans.length > 0);
}

/** Ids of the rules that name a class. */
function namesIn(object: CompiledObject | null, id: number): Record<string, true> {
  const out: Record<string, true> = Object.create(null);
  if (object === null || id < 0) return out;
  (object.classes[id] as number[]).forEach((index) => {
    out[(object.rules[index] as { id: string }).id] = true;
  });
  return out;
}

function causeOf(
  id: string,
  group: Group,
  other: CompiledSide,
  isSame: IsSame,
  namedThere: Record<string, true>,
): TermChange['cause'] {
  const there = isSame(id) ? other.rule(id) : undefined;
  if (there === undefined || !there.groups.some((it) => it.term === group.term)) return 'rule';
  return namedThere[id] === true ? 'object' : 'members';
}
