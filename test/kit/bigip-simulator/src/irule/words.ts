/** What the lexer finds: commands of words, each with its place in the rule's text. */
import type { Edit } from './rule-source.ts';

export interface Command {
  start: number;
  /** After the last word. */
  end: number;
  words: Word[];
}

export interface Word {
  start: number;
  end: number;
  form: 'braced' | 'quoted' | 'bare';
  /** Inside the delimiters. */
  innerStart: number;
  innerEnd: number;
  /** The word's value where it is known before the rule runs; null where a substitution makes it. */
  literal: string | null;
  /** The inner text is the value as it stands: no substitution and no backslash, so it can be read in place as a script. */
  plain: boolean;
  /** Command substitutions, in order. */
  scripts: Command[][];
}

interface ParseFailure {
  offset: number;
  /** Tcl's own words, for example `missing close-brace`. */
  reason: string;
}

/**
 * Shared by everything that reads one rule. The first failure stays, and every loop stops at it. `edits` turn the
 * text into plain Tcl; each part of the text is read as a script or an expression at most once, so no edit is made twice.
 */
export interface Reading {
  text: string;
  edits: Edit[];
  failure: ParseFailure | null;
  depth: number;
}

/** Deeper nesting is refused: real rules stay below 20, and the stack has to hold whatever somebody sends. */
const MAX_DEPTH = 100;

export function fail(reading: Reading, offset: number, reason: string): void {
  reading.failure ??= { offset, reason };
}

/** Runs `read` one level deeper, or fails where that is too deep. */
export function deeper<T>(reading: Reading, offset: number, otherwise: T, read: () => T): T {
  if (reading.depth >= MAX_DEPTH) {
    fail(reading, offset, 'too many nested levels');
    return otherwise;
  }
  reading.depth++;
  const result = read();
  reading.depth--;
  return result;
}
