/**
 * Cuts the text of a YAML stream into its documents without parsing it. A line that begins with `---` or `...` and
 * then a blank ends a document wherever it stands, inside quotes and block scalars too (YAML 1.2.2 §9.1.2,
 * c-forbidden), so cutting by lines is exact, and a document that is broken cannot swallow the next.
 */
import type { Cut } from './piece.ts';

const marker = /^(?:---|\.\.\.)(?=[ \t\r\n]|$)/;
/** Comments, blank lines and directives may stand before the `---` they belong to. */
const prelude = /^(?:[ \t]*(?:#|\r?$)|%)/;

export function cutYaml(text: string): Cut {
  const cut: Cut = { texts: [], lines: [], findings: [] };
  let start = 0;
  let startLine = 1;
  let line = 1;
  let open = false;

  const close = (end: number, nextLine: number): void => {
    if (open) {
      // Copied, not sliced: a slice would keep the text of the whole file alive for as long as the document lives.
      cut.texts.push(Buffer.from(text.slice(start, end)).toString());
      cut.lines.push(startLine);
    }
    start = end;
    startLine = nextLine;
    open = false;
  };

  for (let at = 0; at < text.length; line++) {
    const newline = text.indexOf('\n', at);
    const next = newline === -1 ? text.length : newline + 1;
    const mark = marker.exec(text.slice(at, Math.min(next, at + 4)))?.[0];
    if (mark === '---' && open) close(at, line);
    if (mark !== undefined || !prelude.test(text.slice(at, newline === -1 ? next : newline))) open = true;
    if (mark === '...') close(next, line + 1);
    at = next;
  }
  // A directive without its document is still looked at, so that it is refused and not dropped in silence.
  if (/^%/m.test(text.slice(start))) open = true;
  close(text.length, line);
  return cut;
}
