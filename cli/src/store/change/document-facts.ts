/**
 * A document that people sign, as sentences that can be compared: whatever stands in it is in one of them, known key or not.
 * No inventory has a part in this. What is not written and counts all the same (a mode, no end) is said too.
 */
import type { BundleDocument, BundleKind } from '@edgeward/central-store';
import { canonicalJson } from '@edgeward/policy-format';
import { fenceText } from './fence-text.ts';

export interface Fact {
  /** Part of the document: `rule crm-orders`, `tests`; empty for itself. */
  where: string;
  /** `from workloads app == 'crm', within 10.0.0.0/8, at most 200` */
  text: string;
  /** Of a `workloads` term: who it may come to hold, whoever it holds today. */
  fence: string | null;
}

type Mapping = { [key: string]: unknown };

const UNWRITTEN: { [kind in BundleKind]?: [string, string][] } = {
  Network: [['expires', 'never']],
  VirtualServer: [
    ['mode', 'observe'],
    ['protocol', 'http'],
  ],
  Workload: [
    ['mode', 'observe'],
    ['ports', 'every port'],
  ],
};

export function factsOf(document: BundleDocument): Fact[] {
  const { kind, name: _, rules = [], tests = [], ...rest } = document;
  if (kind !== 'Policy')
    return [...factsIn('', document, ['kind', 'name']), ...unwritten('', document, UNWRITTEN[kind])];
  return [
    ...factsIn('', rest, []),
    ...listOf(rules).flatMap(ruleFacts),
    ...listOf(tests).map((test) => factOf('tests', 'test', textOf(test))),
  ];
}

function ruleFacts(rule: unknown, i: number): Fact[] {
  if (!isMapping(rule)) return [factOf(`rule ${i + 1}`, 'rule', textOf(rule))];
  const where = `rule ${typeof rule.id === 'string' ? rule.id : i + 1}`;
  const defaults: [string, string][] = [
    ['action', 'allow'],
    ['http', 'every request'],
    ['until', 'no end'],
  ];
  if (rule.services === undefined) defaults.push(['ports', 'every port of the object']);
  return [
    ...unwritten(where, rule, defaults.slice(0, 1)),
    ...togetherFacts(where, listOf(rule.from)),
    ...listOf(rule.from).map((term) => termFact(where, term)),
    ...factsIn(where, rule, ['id', 'from']),
    ...unwritten(where, rule, defaults.slice(1)),
  ];
}

/** A fence can be cut up into terms as well as into CIDRs. */
function togetherFacts(where: string, terms: readonly unknown[]): Fact[] {
  const fences = terms.flatMap((term) => (isMapping(term) && term.workloads !== undefined ? [term.within] : []));
  if (fences.length < 2) return [];
  const all = fences.every(Array.isArray) ? fences.flat() : undefined;
  return [{ ...factOf(where, 'from', `${fences.length} terms of workloads together`), fence: fenceText(all) }];
}

function termFact(where: string, term: unknown): Fact {
  if (!isMapping(term)) return factOf(where, 'from', textOf(term));
  const { workloads, within, max, ...rest } = term;
  if (workloads === undefined) return factOf(where, 'from', textOf(term));
  const fence = within === undefined ? 'no fence' : `within ${textOf(within)}`;
  const most = max === undefined ? 'no limit' : `at most ${textOf(max)}`;
  const more = Object.keys(rest).length === 0 ? '' : `, ${textOf(rest)}`;
  const text = `workloads ${textOf(workloads)}, ${fence}, ${most}${more}`;
  return { ...factOf(where, 'from', text), fence: fenceText(within) };
}

/** By the part of the document that they are about, in their order. */
export function byPart<T>(list: readonly T[], factOf: (it: T) => Fact): Map<string, T[]> {
  const parts = new Map<string, T[]>();
  for (const it of list) {
    const { where } = factOf(it);
    const part = parts.get(where);
    if (part === undefined) parts.set(where, [it]);
    else part.push(it);
  }
  return parts;
}

/** A list is a set of its entries; a mapping of its keys. */
function factsIn(where: string, mapping: Mapping, but: readonly string[]): Fact[] {
  const keys = Object.keys(mapping).filter((key) => !but.includes(key));
  return keys.flatMap((key) => {
    const value = mapping[key];
    if (Array.isArray(value) && value.length > 0) return value.map((it) => factOf(where, key, textOf(it)));
    if (isMapping(value)) return Object.keys(value).map((it) => factOf(where, key, `${it}=${textOf(value[it])}`));
    return [factOf(where, key, textOf(value))];
  });
}

function unwritten(where: string, mapping: Mapping, defaults: readonly [string, string][] = []): Fact[] {
  const missing = defaults.filter(([key]) => mapping[key] === undefined);
  return missing.map(([key, value]) => factOf(where, key, `${value} (as nothing is written)`));
}

function factOf(where: string, key: string, value: string): Fact {
  return { where, text: `${key} ${value}`, fence: null };
}

/**
 * In words where these are clear: text itself, lists of it, and mappings of both. By key, because a store gives keys back
 * sorted, and a file has them as they were written.
 */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value === '' ? '(empty)' : value;
  if (Array.isArray(value) && value.length > 0 && value.every((it) => typeof it === 'string')) return value.join(', ');
  if (!isMapping(value) || Object.keys(value).length === 0) return canonicalJson(value);
  return Object.keys(value)
    .sort()
    .map((key) => `${key} ${isMapping(value[key]) ? canonicalJson(value[key]) : textOf(value[key])}`)
    .join('; ');
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [value];
}

function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
