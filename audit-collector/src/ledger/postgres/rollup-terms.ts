/**
 * Names and label sets of the rollups, each kept once, to a bound: past it they are `other`, whatever a point makes up. All
 * of them are in memory, because the bound says how many there can be. Those that no row names any longer are forgotten
 * when room is scarce.
 */
import { labelTitle } from '../label-sets.ts';
import { OTHER, type RollupTerms, rollupBounds } from '../rollups.ts';
import { labelsText, storedLabels } from './interned.ts';
import type { Asking } from './session.ts';
import { digestOf, storedName } from './stored-text.ts';

/** The set that stands for all past the bound, and the one without a label. */
const otherSet = 0;
const emptySet = 1;

export interface PostgresTerms extends RollupTerms<number> {
  /** Within a transaction, before anything is asked of it. */
  load(asking: Asking): Promise<void>;
  /** Writes what came to it since then; false: nothing did. */
  save(asking: Asking): Promise<boolean>;
}

type Kind = 'object' | 'rule';

export function rollupTerms(bounds: typeof rollupBounds): PostgresTerms {
  /** By digest: those that are kept. By text: what was looked up since they were read. */
  const sets = new Map<string, number>();
  const looked = new Map<string, number>();
  const names: Record<Kind, Set<string>> = { object: new Set(), rule: new Set() };
  let newSets: { id: number; digest: string; labels: string; title: string }[] = [];
  let newNames: { kind: Kind; name: string }[] = [];
  let lastSet = emptySet;

  function nameOf(kind: Kind, given: string): string {
    const [name, known] = [storedName(given), names[kind]];
    if (known.has(name)) return name;
    if (known.size >= bounds.names) return OTHER;
    known.add(name);
    newNames.push({ kind, name });
    return name;
  }

  function setOf(given: Record<string, string>): number {
    const labels = labelsText(given);
    const known = looked.get(labels);
    if (known !== undefined) return known;
    const digest = digestOf(labels).toString('hex');
    const set = sets.get(digest) ?? newSet(digest, labels, given);
    if (looked.size > bounds.sets) looked.clear();
    looked.set(labels, set);
    return set;
  }

  function newSet(digest: string, labels: string, given: Record<string, string>): number {
    if (sets.size >= bounds.sets) return otherSet;
    lastSet += 1;
    sets.set(digest, lastSet);
    newSets.push({ id: lastSet, digest, labels, title: labelTitle(storedLabels(given)) });
    return lastSet;
  }

  return {
    object: (name) => nameOf('object', name),
    rule: (name) => nameOf('rule', name),
    set: (labels) => (Object.keys(labels).length === 0 ? emptySet : setOf(labels)),
    async load(asking) {
      const [keptSets, keptNames] = [
        await asking.rows<{ id: number; digest: string }>(
          `SELECT id, encode(digest, 'hex') AS digest FROM rollup_sets WHERE id > ${emptySet}`,
        ),
        await asking.rows<{ kind: Kind; name: string }>('SELECT kind, name FROM rollup_names'),
      ];
      for (const kept of [sets, looked, names.object, names.rule]) kept.clear();
      [newSets, newNames] = [[], []];
      for (const { id, digest } of keptSets) sets.set(digest, id);
      for (const { kind, name } of keptNames) names[kind].add(name);
      lastSet = keptSets.reduce((last, { id }) => Math.max(last, id), emptySet);
    },
    async save(asking) {
      const [addedSets, addedNames] = [newSets, newNames];
      [newSets, newNames] = [[], []];
      if (addedSets.length > 0) await asking.rows(putSets, columnsOf(addedSets, ['id', 'digest', 'labels', 'title']));
      if (addedNames.length > 0) await asking.rows(putNames, columnsOf(addedNames, ['kind', 'name']));
      return addedSets.length + addedNames.length > 0;
    },
  };
}

const putSets = `INSERT INTO rollup_sets (id, digest, labels, title)
  SELECT id, decode(digest, 'hex'), labels::jsonb, title
  FROM unnest($1::integer[], $2::text[], $3::text[], $4::text[]) AS given (id, digest, labels, title)`;
const putNames = 'INSERT INTO rollup_names SELECT * FROM unnest($1::text[], $2::text[])';

/** As `unnest` takes them. */
export const columnsOf = <Row>(rows: readonly Row[], keys: readonly (keyof Row)[]): unknown[][] =>
  keys.map((key) => rows.map((row) => row[key]));

/** Deletes what no row names, once room is scarce: all rows have to be looked at for it. */
export async function forgetUnnamed(asking: Asking, bounds: typeof rollupBounds = rollupBounds): Promise<void> {
  const [kept] = await asking.rows<{ sets: number; names: number }>(`SELECT (SELECT count(*) FROM rollup_sets) AS sets,
    (SELECT max(count) FROM (SELECT count(*) FROM rollup_names GROUP BY kind) AS kinds) AS names`);
  if ((kept?.sets ?? 0) * 2 < bounds.sets && (kept?.names ?? 0) * 2 < bounds.names) return;
  await asking.rows(`DELETE FROM rollup_sets WHERE id > ${emptySet} AND id NOT IN (SELECT source_set FROM rollup_hours
    UNION SELECT object_set FROM rollup_hours UNION SELECT source_set FROM seen_edges)`);
  await asking.rows(`DELETE FROM rollup_names WHERE kind = 'object' AND name NOT IN (SELECT object FROM rollup_minutes
    UNION SELECT object FROM rollup_hours UNION SELECT object FROM seen_edges)`);
  await asking.rows(`DELETE FROM rollup_names WHERE kind = 'rule' AND name NOT IN (SELECT rule FROM rollup_minutes
    UNION SELECT rule FROM rollup_hours)`);
}
