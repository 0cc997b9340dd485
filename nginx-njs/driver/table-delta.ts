import { SLOTS, slotKey, slotOf } from '../src/layout.ts';
import type { NameOf } from './entry-names.ts';
import type { Entry, ObjectTables } from './object-tables.ts';
import { ruleEntries } from './object-tables.ts';

/**
 * What turns the tables that a zone holds into others: the buckets that differ, by slots, and all rules where one differs.
 * Always against whole tables and never against another delta, so that a verdict reads one of each. Equal pairs of tables
 * give equal deltas, whoever makes them.
 */
export interface TableDelta {
  /** null: no bucket differs. */
  id: string | null;
  /** As the header says it; empty without an id. */
  slots: string;
  slotEntries: Entry[];
  /** Where the rules are: with the tables, or by their own content. */
  rulesId: string;
  ruleEntries: Entry[];
}

/**
 * A longer delta costs more than it saves. One is written whole after each change, the tables only when it has grown too
 * long: for tables of 8 MB both together are least near this length.
 */
const LONGEST = 65_536;
/** Of the tables; what is small is written whole, and needs no second read. */
const LARGEST_SHARE = 8;
const SMALLEST_TABLES = 16_384;

/** null where writing the tables whole is better. */
export function tableDelta(base: ObjectTables, next: ObjectTables, nameOf: NameOf): TableDelta | null {
  if (base.size < SMALLEST_TABLES && base.id !== next.id) return null;
  const limit = Math.min(LONGEST, base.size / LARGEST_SHARE);
  const changed = changedBuckets(base, next, limit);
  if (changed === null) return null;
  const rules = changedRules(base, next);
  const length = rules === null ? 0 : rules.reduce((sum, text) => sum + text.length, 0);
  if (length > limit) return null;
  const rulesId = rules === null ? base.id : nameOf(rules.join('\n'));
  return {
    ...slotted(base.id, changed, nameOf),
    rulesId,
    ruleEntries: rules === null ? [] : [...ruleEntries(rulesId, rules)],
  };
}

/** Bucket → value, empty where nothing is in it any more. null: they are longer than `limit` together. */
function changedBuckets(base: ObjectTables, next: ObjectTables, limit: number): Map<string, string> | null {
  const changed = new Map<string, string>();
  let length = 0;
  const add = (name: string, value: string): boolean => {
    changed.set(name, value);
    length += name.length + value.length + 2;
    return length <= limit;
  };
  const { names, values } = base;
  const { names: nextNames, values: nextValues } = next;
  let at = 0;
  for (let nextAt = 0; nextAt < nextNames.length; nextAt += 1) {
    const name = nextNames[nextAt] as string;
    // Mostly both stand in the same order, and no name has to be looked up in the base.
    while (names[at] !== name && at < names.length && next.table[names[at] as string] === undefined) {
      if (!add(names[at] as string, '')) return null;
      at += 1;
    }
    const inOrder = names[at] === name;
    const held = inOrder ? values[at] : base.table[name];
    if (inOrder) at += 1;
    const value = nextValues[nextAt] as string;
    // Compiled after each other, both have the same string where nothing changed.
    if (held !== value && !add(name, value)) return null;
  }
  for (; at < names.length; at += 1) {
    const name = names[at] as string;
    if (next.table[name] === undefined && !add(name, '')) return null;
  }
  return changed;
}

/** null where those of the base serve; more of them do no harm, as no bucket names them. */
function changedRules(base: ObjectTables, next: ObjectTables): readonly string[] | null {
  return next.rules.every((text, at) => base.rules[at] === text) ? null : next.rules;
}

function slotted(
  base: string,
  changed: Map<string, string>,
  nameOf: NameOf,
): Pick<TableDelta, 'id' | 'slots' | 'slotEntries'> {
  if (changed.size === 0) return { id: null, slots: '', slotEntries: [] };
  const texts = new Map<string, string>();
  for (const name of [...changed.keys()].sort()) {
    const slot = slotOf(name);
    texts.set(slot, `${texts.get(slot) ?? ''},${name}=${changed.get(name)}`);
  }
  const lines = [...texts].sort(([one], [other]) => (one < other ? -1 : 1));
  const id = nameOf(`${base}\n${lines.map(([slot, text]) => `${slot}${text}`).join('\n')}`);
  const touched = new Set(lines.map(([slot]) => Number.parseInt(slot, 16)));
  const slots = Array.from({ length: SLOTS }, (_, slot) => (touched.has(slot) ? '1' : '0')).join('');
  return { id, slots, slotEntries: lines.map(([slot, text]) => [slotKey(id, slot), text]) };
}
