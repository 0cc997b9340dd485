/**
 * Cuts the text of a YAML stream into its documents without parsing it. A line that begins with `---` or `...` and
 * then a blank ends a document wherever it stands, inside quotes and block scalars too (YAML 1.2.2 §9.1.2,
 * c-forbidden), so cutting by lines is exact, and a document that is broken cannot swallow the next.
 */
import type { Cut } from './piece.ts';

const marker = /^(?:---|\.\.\.)(?=[ \t\r\n]|$)/;
/** Comments and blank lines say nothing, before the `---` as little as behind it on its line. */
const blank = /^[ \t]*(?:#|\r?$)/;
/** Long enough to hold a marker and what must follow it. */
const markerWindow = 4;

interface Line {
  mark: '---' | '...' | null;
  content: 'none' | 'directive' | 'some';
}

/** What one line means for cutting, `open` saying whether it stands inside a document. */
function lineOf(text: string, at: number, end: number, open: boolean): Line {
  const mark = marker.exec(text.slice(at, Math.min(end + 1, at + markerWindow)))?.[0] ?? null;
  const rest = text.slice(mark === null ? at : at + mark.length, end);
  if (mark === '...') return { mark, content: blank.test(rest) ? 'none' : 'some' };
  if (!open && rest.startsWith('%')) return { mark: null, content: 'directive' };
  return { mark: mark === null ? null : '---', content: blank.test(rest) ? 'none' : 'some' };
}

export function cutYaml(text: string): Cut {
  const cut: Cut = { texts: [], lines: [], findings: [] };
  let start = 0;
  let startLine = 1;
  let line = 1;
  let open = false;
  let said = false;

  const close = (end: number, nextLine: number): void => {
    if (said) {
      // Copied, not sliced: a slice would keep the text of the whole file alive for as long as the document lives.
      cut.texts.push(Buffer.from(text.slice(start, end)).toString());
      cut.lines.push(startLine);
    }
    start = end;
    startLine = nextLine;
    open = false;
    said = false;
  };

  for (let at = 0; at < text.length; line++) {
    const newline = text.indexOf('\n', at);
    const end = newline === -1 ? text.length : newline;
    const { mark, content } = lineOf(text, at, end, open);
    if (mark === '---' && open) close(at, line);
    // A directive says something about the next document, so it is looked at even if none follows, and opens nothing.
    if (content !== 'none') said = true;
    if (mark === '---' || content === 'some') open = true;
    at = end + 1;
    if (mark === '...') close(Math.min(at, text.length), line + 1);
  }
  close(text.length, line);
  return cut;
}
