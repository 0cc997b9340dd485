/**
 * Substitutions inside words and expressions: `$variable`, `[script]` and backslashes, as Tcl 8.4 reads them.
 * Backslash sequences that Tcl 8.6 would read otherwise are edited to mean in 8.6 what they mean in 8.4.
 */
import { lexScript } from './script-lexer.ts';
import { type Command, deeper, fail, type Reading } from './words.ts';

/** What a run of substitutions collects. `value` turns null at the first variable or command. */
export interface Content {
  value: string | null;
  plain: boolean;
  scripts: Command[][];
}

export const emptyContent = (): Content => ({ value: '', plain: true, scripts: [] });

const NAME = /(?:[A-Za-z0-9_]|::+)+/y;
const HEX = /[0-9A-Fa-f]+/y;
const OCTAL = /[0-7]{1,3}/y;
const BLANKS = /[ \t]*/y;
const CONTROLS: Record<string, string> = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };

function matched(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? '';
}

const append = (content: Content, text: string): void => {
  if (content.value !== null) content.value += text;
};

/** Takes the character at `at`, or the substitution that begins there; answers where it ends. */
export function takeUnit(reading: Reading, at: number, end: number, content: Content): number {
  const character = reading.text[at] ?? '';
  if (character === '\\') return takeBackslash(reading, at, end, content);
  if (character === '$') return takeVariable(reading, at, end, content);
  if (character === '[') return takeScript(reading, at, end, content);
  append(content, character);
  return at + 1;
}

export function takeScript(reading: Reading, at: number, end: number, content: Content): number {
  content.value = null;
  content.plain = false;
  const script = deeper(reading, at, null, () => lexScript(reading, at + 1, end, true));
  if (script === null || reading.failure !== null) return end;
  if (!script.closed) {
    fail(reading, at, 'missing close-bracket');
    return end;
  }
  content.scripts.push(script.commands);
  return script.end + 1;
}

export function takeVariable(reading: Reading, at: number, end: number, content: Content): number {
  const { text } = reading;
  content.plain = false;
  if (text[at + 1] === '{') {
    const close = text.indexOf('}', at + 2);
    content.value = null;
    if (close !== -1 && close < end) return close + 1;
    fail(reading, at, 'missing close-brace for variable name');
    return end;
  }
  const nameEnd = Math.min(end, at + 1 + matched(NAME, text, at + 1).length);
  const indexed = text[nameEnd] === '(' && nameEnd < end;
  if (nameEnd === at + 1 && !indexed) {
    append(content, '$');
    return at + 1;
  }
  content.value = null;
  return indexed ? takeIndex(reading, nameEnd, end, content) : nameEnd;
}

function takeIndex(reading: Reading, open: number, end: number, content: Content): number {
  const inside = { ...emptyContent(), scripts: content.scripts };
  return deeper(reading, open, end, () => {
    let at = open + 1;
    while (at < end && reading.failure === null) {
      if (reading.text[at] === ')') return at + 1;
      at = takeUnit(reading, at, end, inside);
    }
    fail(reading, open, 'missing )');
    return end;
  });
}

function takeBackslash(reading: Reading, at: number, end: number, content: Content): number {
  const { text } = reading;
  content.plain = false;
  const next = text[at + 1];
  if (next === undefined || at + 1 >= end) {
    append(content, '\\');
    return at + 1;
  }
  if (next === '\n') {
    append(content, ' ');
    return Math.min(end, at + 2 + matched(BLANKS, text, at + 2).length);
  }
  if (next === 'x') return takeHex(reading, at, end, content);
  // \U is no escape in Tcl 8.4: it is the letter. Bare, it could become the name of a variable.
  if (next === 'U') reading.edits.push({ start: at, end: at + 2, text: '\\x55' });
  const octal = matched(OCTAL, text, at + 1);
  if (octal !== '') {
    append(content, String.fromCharCode(Number.parseInt(octal, 8) & 0xff));
    return Math.min(end, at + 1 + octal.length);
  }
  const unicode = next === 'u' ? matched(HEX, text, at + 2).slice(0, 4) : '';
  if (unicode !== '') {
    append(content, String.fromCharCode(Number.parseInt(unicode, 16)));
    return Math.min(end, at + 2 + unicode.length);
  }
  append(content, CONTROLS[next] ?? next);
  return at + 2;
}

/** Tcl 8.4 takes every hexadecimal digit after \x and keeps the last two; 8.6 takes two. */
function takeHex(reading: Reading, at: number, end: number, content: Content): number {
  const digits = matched(HEX, reading.text, at + 2);
  const stop = Math.min(end, at + 2 + digits.length);
  if (digits === '') append(content, 'x');
  else append(content, String.fromCharCode(Number.parseInt(digits.slice(-2), 16)));
  if (digits.length > 2) reading.edits.push({ start: at + 2, end: stop - 2, text: '' });
  return stop;
}
