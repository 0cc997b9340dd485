import { compareText } from '@edgeward/policy';
import type { DataRecord, PolicyMap } from './layout/index.ts';

/**
 * `eg_meta`: what a person reads to know what runs, and what the next driver must know. It is written after a save, so a
 * meta that tells another policy than the map means that nobody knows whether that policy was saved.
 */
export interface Meta {
  /** The policy that was saved last; null before the first. */
  saved: { revision: number; policyHash: string } | null;
  /** When it came into force, an ISO time. */
  applied: string | null;
  /**
   * How often groups were repaired in place. It is written before a repair, and the map tells it after: an apply that is cut
   * off between the two would otherwise leave the rules with what they remember of a group that was somebody's.
   */
  repairs: number;
  /** Names of the groups that recent revisions use, by revision. */
  sets: Map<number, string[]>;
}

/** Of the records' form. */
const VERSION = '1';

/** mcpd takes 65,520 characters in a value. */
const MAX_VALUE_CHARS = 60_000;

export const emptyMeta: Meta = { saved: null, applied: null, repairs: 0, sets: new Map() };

/** What can't be read is as if it were not there: meta helps, it decides nothing about traffic. */
export function readMeta(records: readonly DataRecord[]): Meta {
  const values = new Map(records.map(({ name, data }) => [name, data]));
  const revision = /^\d{1,15}$/.exec(values.get('revision') ?? '')?.[0];
  const policyHash = /^[0-9a-f]{64}$/.exec(values.get('policy') ?? '')?.[0];
  const sets = new Map<number, string[]>();
  for (const { name, data } of [...records].sort((a, b) => compareText(a.name, b.name))) {
    const match = /^sets\.(\d{1,15})(?:\.\d{1,4})?$/.exec(name);
    if (match === null) continue;
    const key = Number(match[1]);
    sets.set(key, [...(sets.get(key) ?? []), ...data.split(' ').filter((word) => word !== '')]);
  }
  return {
    saved: revision === undefined || policyHash === undefined ? null : { revision: Number(revision), policyHash },
    applied: values.get('applied') ?? null,
    repairs: Number(/^\d{1,12}$/.exec(values.get('repairs') ?? '')?.[0] ?? 0),
    sets,
  };
}

export function metaRecords(meta: Meta): DataRecord[] {
  const { saved, applied, repairs } = meta;
  const single: [string, string | null][] = [
    ['version', VERSION],
    ['revision', saved === null ? null : String(saved.revision)],
    ['policy', saved?.policyHash ?? null],
    ['applied', applied],
    ['repairs', repairs === 0 ? null : String(repairs)],
  ];
  const records = single.flatMap(([name, data]) => (data === null ? [] : [{ name, data }]));
  for (const [revision, names] of meta.sets) records.push(...setRecords(revision, names));
  return records.sort((a, b) => compareText(a.name, b.name));
}

function setRecords(revision: number, names: readonly string[]): DataRecord[] {
  const values = [''];
  for (const name of names) {
    const value = values.at(-1) ?? '';
    if (value.length + 1 + name.length > MAX_VALUE_CHARS) values.push(name);
    else values[values.length - 1] = value === '' ? name : `${value} ${name}`;
  }
  return values.map((data, index) => ({ name: `sets.${revision}${index === 0 ? '' : `.${index}`}`, data }));
}

export function sameMeta(one: Meta, other: Meta): boolean {
  return JSON.stringify(metaRecords(one)) === JSON.stringify(metaRecords(other));
}

/** Groups that the map names, each once, sorted. */
export function groupsOfMap(map: PolicyMap): string[] {
  const names = [...map.entries.values()].flatMap(({ sources, requests }) => [sources, requests]);
  return [...new Set(names.filter((name) => name !== null))].sort(compareText);
}

/** Sets of the newest `kept` revisions. A meta that was lost does not cost the policy that is in force its groups. */
export function keptSets(
  meta: Meta,
  before: PolicyMap | null,
  after: { revision: number; names: string[] },
  kept: number,
): Map<number, string[]> {
  const sets = new Map(meta.sets);
  if (before !== null) sets.set(before.head.revision, groupsOfMap(before));
  // The same revision may come with other content: what ends by itself needs no new number. Connections of a moment ago
  // still look into the groups before.
  sets.set(after.revision, [...new Set([...(sets.get(after.revision) ?? []), ...after.names])]);
  const newest = [...sets].filter(([revision]) => revision <= after.revision).sort(([a], [b]) => b - a);
  return new Map(newest.slice(0, Math.max(1, kept)));
}
