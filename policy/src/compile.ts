import type { Interval } from './address.ts';
import type { CompileMemo, KeptObject, KeptObjects, SourceTable } from './compile-memo.ts';
import { emptyMemo, keepObjects, sameParts, sourceTable, textOf } from './compile-memo.ts';
import type { CompiledObject, CompiledPolicy, CompiledRule, IntervalTable } from './compiled.ts';
import { findingAt } from './field-reader.ts';
import type { Finding } from './finding.ts';
import { union } from './interval.ts';
import { CLASS_LIMIT, pack } from './interval-table.ts';
import type { ProtectedObject } from './model.ts';
import type { Resolution, ResolvedRule } from './resolve.ts';

/**
 * What one point receives. For each object the sources become classes: disjoint intervals, each with the set of rules
 * that name it, so that looking an address up is one search whatever overlaps. Equal inputs give equal bytes.
 */

/** Hex sha256 of a text; handed in because this folder runs where there is no crypto module. */
export type Digest = (text: string) => string;

export interface CompileOptions {
  revision: number;
  digest: Digest;
  /** What was compiled earlier, here or for other points; what it was compiled from decides whether it is taken over. */
  memo?: CompileMemo;
}

/** Throws EDW_ERR_TOO_FRAGMENTED; `compileFault` makes a finding of it. */
export function compilePoint(resolution: Resolution, point: string, options: CompileOptions): CompiledPolicy {
  const memo = options.memo ?? emptyMemo();
  const known: KeptObjects = memo.objects[point] ?? Object.create(null);
  const used: KeptObjects = Object.create(null);
  const objects: CompiledObject[] = [];
  try {
    resolution.objects.forEach((object, i) => {
      if (object.point !== point) return;
      const rules = (resolution.naming[i] as ResolvedRule[]).filter((rule) => !rule.ended);
      const kept = compileObject(object, rules, { digest: options.digest, memo, known: known[object.name] });
      used[object.name] = kept;
      if (kept.compiled === null) throw tooFragmented(object);
      objects.push(kept.compiled);
    });
  } finally {
    keepObjects(memo, point, used);
  }
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
  // Points that protect the like of each other share what was made for one of them, also in a single call.
  const sharing = Object.assign({ memo: emptyMemo() }, options);
  points.forEach((point) => {
    try {
      policies.push(compilePoint(resolution, point, sharing));
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

interface Earlier {
  digest: Digest;
  memo: CompileMemo;
  known: KeptObject | undefined;
}

function compileObject(object: ProtectedObject, rules: ResolvedRule[], earlier: Earlier): KeptObject {
  const table = sourceTable(earlier.memo, rules, earlier.known?.table);
  const from: unknown[] = [object.document.value, object.mode, object.failsafe];
  rules.forEach((rule) => {
    from.push(rule.rule, JSON.stringify(rule.ports));
  });
  const known = earlier.known;
  if (known !== undefined && known.table === table && sameParts(known.from, from)) return known;
  return { from, table, compiled: compileFresh(object, rules, table, earlier.digest) };
}

/** Null: the rules divide the sources into more classes than a table has numbers for. */
function compileFresh(
  object: ProtectedObject,
  rules: ResolvedRule[],
  table: SourceTable,
  digest: Digest,
): CompiledObject | null {
  if (table.found === null) return null;
  const own = {
    bind: object.bind,
    kind: object.kind,
    protocol: object.protocol,
    mode: object.mode,
    ports: object.ports,
    trustedProxies: tableOf(object.trustedProxies),
    failsafe: tableOf(object.failsafe),
    rules: rules.map(compileRule),
  };
  // Equal content gives equal bytes: keys stand in this order, here and in what is hashed. What is shared is large, and
  // is written once for all who share it.
  const body = `${JSON.stringify(own).slice(0, -1)},${textOf(table).slice(1)}`;
  const hash = digest(`[${JSON.stringify(object.name)},${body}]`);
  return Object.assign({ name: object.name, hash }, own, table.found);
}

function compileRule(rule: ResolvedRule): CompiledRule {
  return { id: rule.rule.id, action: rule.rule.action, ports: rule.ports, http: rule.rule.http };
}

function tableOf(intervals: Interval[]): IntervalTable | null {
  if (intervals.length === 0) return null;
  return pack(union(intervals).map((it) => ({ lo: it.lo, hi: it.hi, value: 0 })));
}

function tooFragmented(object: ProtectedObject): Error {
  const code = 'EDW_ERR_TOO_FRAGMENTED';
  const message = `the rules of '${object.name}' divide its sources into more than ${CLASS_LIMIT} classes`;
  return Object.assign(new Error(message), { code, finding: findingAt(object.document, ['name'], code, message) });
}
