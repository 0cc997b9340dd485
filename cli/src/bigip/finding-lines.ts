/** What was found on a box, as lines: what, by which code, in which words, and what to do. */
import { type Paint, printable } from '../frame/terminal-text.ts';

export interface Found {
  object: string;
  code: string;
  words: string;
  mend: string;
}

export function findingLines(found: readonly Found[], word: string): string {
  return found
    .map(({ object, code, words, mend }) =>
      [`${printable(object)}  ${word}  ${code}  ${printable(words)}`, `    ${printable(mend)}`, ''].join('\n'),
    )
    .join('');
}

/** The first `limit` of them, and how many are left out. */
export function bounded(lines: readonly string[], limit: number, paint: Paint): string[] {
  if (lines.length <= limit) return [...lines];
  return [
    ...lines.slice(0, limit),
    paint.dim(`… and ${(lines.length - limit).toLocaleString('en')} more; --all shows them`),
  ];
}
