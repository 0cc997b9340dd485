/** The elements of a Tcl list with their places: the patterns and bodies of a `switch`. Tcl's rules, not those of scripts. */
import { closingBrace } from './script-lexer.ts';
import type { Word } from './words.ts';

export type ListElements = { state: 'list'; elements: Word[] } | { state: 'invalid'; reason: string };

const BLANK = /\s/;

export function splitList(text: string, start: number, end: number): ListElements {
  const elements: Word[] = [];
  let at = start;
  for (;;) {
    while (at < end && BLANK.test(text[at] ?? '')) at++;
    if (at >= end) return { state: 'list', elements };
    const element = elementAt(text, at, end);
    if (typeof element === 'string') return { state: 'invalid', reason: element };
    at = element.end;
    if (at < end && element.form !== 'bare' && !BLANK.test(text[at] ?? '')) {
      const form = element.form === 'braced' ? 'braces' : 'quotes';
      const follower = text.slice(at, Math.min(end, at + 20)).split(/\s/)[0];
      return { state: 'invalid', reason: `list element in ${form} followed by "${follower}" instead of space` };
    }
    elements.push(element);
  }
}

function elementAt(text: string, start: number, end: number): Word | string {
  if (text[start] === '{') {
    const close = closingBrace(text, start, end);
    return close === -1 ? 'unmatched open brace in list' : word(text, start, close + 1, 'braced');
  }
  const isQuoted = text[start] === '"';
  let at = isQuoted ? start + 1 : start;
  while (at < end && !(isQuoted ? text[at] === '"' : BLANK.test(text[at] ?? ''))) at += text[at] === '\\' ? 2 : 1;
  if (!isQuoted) return word(text, start, Math.min(at, end), 'bare');
  return at >= end ? 'unmatched open quote in list' : word(text, start, at + 1, 'quoted');
}

function word(text: string, start: number, end: number, form: Word['form']): Word {
  const margin = form === 'bare' ? 0 : 1;
  const inner = text.slice(start + margin, end - margin);
  // What a backslash makes of an element is for the run time: such a body is not looked at.
  const plain = form === 'braced' || !inner.includes('\\');
  return {
    start,
    end,
    form,
    innerStart: start + margin,
    innerEnd: end - margin,
    literal: plain ? inner : null,
    plain,
    scripts: [],
  };
}
