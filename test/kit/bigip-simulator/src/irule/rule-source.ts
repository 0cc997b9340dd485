/** The text of a rule with its line numbers, and edits against it. Everything that reads a rule speaks in offsets into this text. */

export interface RuleSource {
  text: string;
  /** Lines count from 1. */
  lineOf(offset: number): number;
}

/** Replace `text.slice(start, end)`. Edits of equal `start` apply in the order they were made. */
export interface Edit {
  start: number;
  end: number;
  text: string;
}

export function ruleSource(text: string): RuleSource {
  const newlines: number[] = [];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) newlines.push(at);
  return {
    text,
    lineOf(offset) {
      let low = 0;
      let high = newlines.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((newlines[middle] ?? 0) < offset) low = middle + 1;
        else high = middle;
      }
      return low + 1;
    },
  };
}

/** The part of the text between two offsets, with the edits that lie in it. */
export function edited(text: string, start: number, end: number, edits: readonly Edit[]): string {
  const inside = edits.filter((edit) => edit.start >= start && edit.end <= end);
  inside.sort((a, b) => a.start - b.start);
  let result = '';
  let at = start;
  for (const edit of inside) {
    result += text.slice(at, edit.start) + edit.text;
    at = Math.max(at, edit.end);
  }
  return result + text.slice(at, end);
}
