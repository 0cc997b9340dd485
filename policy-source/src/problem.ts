/**
 * What is wrong inside one piece of a file, before the piece knows where in the file it stands. Lines count from 0
 * relative to the piece, so a piece that moved keeps its problems; `findingOf` makes them absolute.
 */
import type { Finding } from '@edgeward/policy';

export interface Problem {
  code: string;
  /** Lines below the first line of the piece. */
  lineOffset: number;
  /** From 1, in UTF-16 units, as editors count. */
  column: number;
  message: string;
  mend: string;
}

/** A hostile file may hold millions of faults. Past this many, one last finding says how many are not shown. */
export const maxFindingsPerFile = 1000;

export function findingOf(problem: Problem, file: string, line: number): Finding {
  const { code, lineOffset, column, message, mend } = problem;
  return { severity: 'error', code, file, line: line + lineOffset, column, message, mend };
}

/** A fault of the file as a whole. It points at the first character. */
export function fileFinding(
  severity: Finding['severity'],
  code: string,
  file: string,
  message: string,
  mend: string,
): Finding {
  return { severity, code, file, line: 1, column: 1, message, mend };
}

/** Adds the findings of one file, and one more in place of those beyond the limit. */
export function pushCapped(into: Finding[], found: Iterable<Finding>): void {
  let count = 0;
  let first: Finding | null = null;
  for (const finding of found) {
    count++;
    if (count <= maxFindingsPerFile) into.push(finding);
    else first ??= finding;
  }
  if (first === null) return;
  into.push({
    ...first,
    code: 'EDW_ERR_TOO_MANY_PROBLEMS',
    message: `${count - maxFindingsPerFile} more problems in this file are not shown; the first of them is here`,
    mend: 'Mend the problems listed before this one, then check again.',
  });
}
