/** What is known while one rule loads, and the loader's complaints in F5's wording. */
import type { NameLookup } from './loaded-rule.ts';
import type { RuleSource } from './rule-source.ts';
import type { Command, Reading, Word } from './words.ts';

interface Problem {
  offset: number;
  reason: string;
  /** The source text that the message shows. */
  shown: string;
}

/** An object that the rule names literally. The lookup hears of each: what a rule names can't be removed beneath it. */
export interface Reference {
  kind: 'value_list' | 'pool' | 'virtual' | 'rule';
  /** Without the object the rule is refused. */
  isRequired: boolean;
  name: string;
  offset: number;
  shown: string;
}

export interface Loading {
  fullPath: string;
  source: RuleSource;
  reading: Reading;
  names: NameLookup;
  problems: Problem[];
  references: Reference[];
}

/** Where a command stands. `event` is null where no event is known: in a procedure, or in an unknown event. */
export interface Scope {
  event: string | null;
}

/** Further ones are dropped: whoever mends a hundred loads again anyway. */
const MAX_PROBLEMS = 100;

export function complainOf(loading: Loading, start: number, end: number, reason: string): void {
  if (loading.problems.length >= MAX_PROBLEMS) return;
  loading.problems.push({ offset: start, reason, shown: loading.reading.text.slice(start, end) });
}

export function complain(loading: Loading, command: Command, reason: string): void {
  complainOf(loading, command.start, command.end, reason);
}

/** A literal's text; null where a substitution makes it. */
export const literalOf = (word: Word | undefined): string | null => word?.literal ?? null;
