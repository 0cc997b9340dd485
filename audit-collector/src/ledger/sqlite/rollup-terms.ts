/**
 * Names and label sets of the rollups, each kept once, to a bound: past it they are `other`, whatever a point makes up. Those
 * that no row names any longer are forgotten with the rows.
 */
import type { DatabaseSync } from 'node:sqlite';
import { labelText } from '../label-sets.ts';
import { OTHER, type RollupTerms, rollupBounds } from '../rollups.ts';

/** The set that stands for all past the bound. */
const otherSet = 0;
const maxCached = 10_000;

export interface SqliteTerms extends RollupTerms<number> {
  /** null: past the bound. */
  labels(set: number): Record<string, string> | null;
  /** The transaction came to nothing, or rows were deleted. */
  forget(): void;
  /** Deletes what no row names. */
  prune(): void;
}

export function rollupTerms(db: DatabaseSync, bounds: typeof rollupBounds = rollupBounds): SqliteTerms {
  const sets = boundedTerms(
    db.prepare('SELECT id AS term FROM rollup_sets WHERE labels = ?'),
    db.prepare(
      'INSERT INTO rollup_sets (labels) SELECT ? WHERE (SELECT count(*) FROM rollup_sets) < ? RETURNING id AS term',
    ),
    // Two are always there: the other ones, and the one without a label.
    bounds.sets + 2,
  );
  const names = (kind: string): Terms =>
    boundedTerms(
      db.prepare(`SELECT name AS term FROM rollup_names WHERE kind = '${kind}' AND name = ?`),
      db.prepare(`INSERT INTO rollup_names SELECT '${kind}', ?
        WHERE (SELECT count(*) FROM rollup_names WHERE kind = '${kind}') < ? RETURNING name AS term`),
      bounds.names,
    );
  const [objects, rules] = [names('object'), names('rule')];
  const textOf = db.prepare('SELECT labels FROM rollup_sets WHERE id = ?');
  const forget = (): void => {
    for (const terms of [sets, objects, rules]) terms.forget();
  };
  return {
    set: (labels) => Number(sets.of(labelText(labels)) ?? otherSet),
    object: (name) => String(objects.of(name) ?? OTHER),
    rule: (name) => String(rules.of(name) ?? OTHER),
    labels: (set) => (set === otherSet ? null : JSON.parse(String(textOf.get(set)?.labels))),
    forget,
    prune() {
      db.exec(unnamed);
      forget();
    },
  };
}

interface Terms {
  /** undefined: past the bound. */
  of(text: string): unknown;
  forget(): void;
}

type Statement = ReturnType<DatabaseSync['prepare']>;

function boundedTerms(find: Statement, add: Statement, bound: number): Terms {
  const known = new Map<string, unknown>();
  return {
    of(text) {
      if (known.has(text)) return known.get(text);
      const term = (find.get(text) ?? add.get(text, bound))?.term;
      if (known.size >= maxCached) known.clear();
      // What is past the bound is kept too: a flood of new ones costs no more than one that is known.
      known.set(text, term);
      return term;
    },
    forget: () => known.clear(),
  };
}

const unnamed = `
  DELETE FROM rollup_sets WHERE id > 1 AND id NOT IN (SELECT source_set_id FROM rollup_hours
    UNION SELECT object_set_id FROM rollup_hours UNION SELECT source_set_id FROM seen_edges);
  DELETE FROM rollup_names WHERE kind = 'object' AND name NOT IN (SELECT object FROM rollup_minutes
    UNION SELECT object FROM rollup_hours UNION SELECT object FROM seen_edges);
  DELETE FROM rollup_names WHERE kind = 'rule' AND name NOT IN (SELECT rule FROM rollup_minutes
    UNION SELECT rule FROM rollup_hours)`;
