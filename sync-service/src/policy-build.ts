import {
  type CompiledPolicy,
  type CompileMemo,
  compilePoints,
  type Document,
  type DocumentMemo,
  type Finding,
  linkModel,
  lint,
  type ObjectViews,
  pointViews,
  type Resolution,
  resolve,
  runPolicyTests,
  type SourceDocument,
  viewOf,
} from '@edgeward/policy';
import { sha256Hex } from '@edgeward/runtime';

/**
 * Documents → what every point would receive, or why not. Whatever did not change since the last build is taken over, so
 * that an edit costs what it touches; taking over never changes a byte of the result.
 */
type Build = ReadyBuild | { state: 'refused'; findings: Finding[] };

export interface ReadyBuild {
  state: 'ready';
  documents: SourceDocument[];
  /** Warnings only. */
  findings: Finding[];
  resolution: Resolution;
  /** By point, with revision 0. */
  policies: Map<string, CompiledPolicy>;
  /** The same, ready to be judged by. */
  views: ObjectViews;
  /** Over all points: unchanged means that no point would receive anything new. */
  hash: string;
  /** Over the documents that people edit; unchanged means that at most the inventory moved. */
  policyHash: string;
}

export interface Builder {
  /** Where only the inventory or time moved (`policyHash` is the given one), what an edit may not do becomes a warning. */
  build(documents: SourceDocument[], syntax: Finding[], nowMs: number, policyHashBefore: string | null): Build;
}

/** Kinds that machines write and that move by themselves. */
const INVENTORY = new Set(['Workload', 'VirtualServer']);

export function createBuilder(points: readonly string[]): Builder {
  const memo = documentMemo();
  const compileMemo: CompileMemo = { objects: Object.create(null) };
  let before: Resolution | undefined;
  return {
    build(documents, syntax, nowMs, policyHashBefore) {
      const findings = [...syntax];
      const model = linkModel(documents, findings, memo);
      const policyHash = hashOfPolicy(documents);
      const inventoryOnly = policyHash === policyHashBefore;
      if (hasErrors(findings)) return { state: 'refused', findings };
      const resolution = resolve(model, nowMs, before);
      addAll(findings, lint(resolution, { inventoryOnly }));
      if (hasErrors(findings)) return { state: 'refused', findings };
      before = resolution;
      const policies = compileAll(resolution, points, compileMemo, findings);
      if (policies === null) return { state: 'refused', findings };
      const views = viewsOf(resolution, policies);
      const tests = runPolicyTests(resolution, views, inventoryOnly);
      addAll(findings, tests.findings);
      if (hasErrors(findings)) return { state: 'refused', findings };
      const hash = sha256Hex([...policies].map(([point, policy]) => `${point} ${policy.hash}\n`).join(''));
      return { state: 'ready', documents, findings, resolution, policies, views, hash, policyHash };
    },
  };
}

/** Null, and a finding, where an object can't be compiled: an edit that is refused like any other, not a crash. */
function compileAll(
  resolution: Resolution,
  points: readonly string[],
  memo: CompileMemo,
  findings: Finding[],
): Map<string, CompiledPolicy> | null {
  const { policies, faults } = compilePoints(resolution, points, { revision: 0, digest: sha256Hex, memo });
  findings.push(...faults);
  return faults.length === 0 ? new Map(policies.map((policy) => [policy.point, policy])) : null;
}

/** Views of what was compiled; objects of a point that is not served here are compiled for their tests alone. */
function viewsOf(resolution: Resolution, policies: Map<string, CompiledPolicy>): ObjectViews {
  const pointOf = new Map(resolution.objects.map((object) => [object.name, object.point]));
  const views = new Map([...policies].map(([point, policy]) => [point, viewOf(policy)]));
  const others = pointViews(resolution, sha256Hex);
  return { forObject: (name) => views.get(pointOf.get(name) ?? '') ?? others.forObject(name) };
}

/** One by one: a large inventory has more warnings than a call can have arguments. */
function addAll(into: Finding[], more: Finding[]): void {
  for (const finding of more) into.push(finding);
}

function hasErrors(findings: Finding[]): boolean {
  return findings.some((finding) => finding.severity === 'error');
}

function documentMemo(): DocumentMemo {
  const known = new WeakMap<object, Document>();
  return { get: (value) => known.get(value), set: (value, document) => void known.set(value, document) };
}

export function hashOfPolicy(documents: SourceDocument[]): string {
  const edited = documents.filter(({ value }) => !INVENTORY.has((value as { kind?: string } | null)?.kind ?? ''));
  return sha256Hex(edited.map(({ value }) => jsonOf(value)).join('\n'));
}

const texts = new WeakMap<object, string>();

/** A document as one line of JSON; kept as long as the document, because an inventory has 100,000 of them. */
export function jsonOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  let text = texts.get(value);
  if (text === undefined) {
    text = JSON.stringify(value);
    texts.set(value, text);
  }
  return text;
}
