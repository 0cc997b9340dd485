/** The words of an expression, as Tcl 8.4 reads them and F5 extends them. */
import { closingBrace } from './script-lexer.ts';
import { emptyContent, takeScript, takeUnit, takeVariable } from './substitutions.ts';
import { type Command, fail, type Reading } from './words.ts';

export interface Token {
  /** A `word` is a name: of a function, of a Boolean, or of an operator of F5 where none can stand. */
  kind: 'operand' | 'operator' | 'word' | 'end' | 'illegal';
  start: number;
  end: number;
  /** Of an operator or word its text, of an illegal one the complaint. */
  text: string;
}

/**
 * Higher binds tighter. Recorded: `matches` binds tighter than `or`, and `not` as tight as `!`. That F5's operators
 * on strings stand beside `eq` is presumed.
 */
export const operatorPrecedence: Readonly<Record<string, number>> = precedenceOf([
  '|| or',
  '&& and',
  '|',
  '^',
  '&',
  '== != eq ne equals starts_with ends_with contains matches matches_glob matches_regex',
  '< > <= >=',
  '<< >>',
  '+ -',
  '* / %',
]);

/** Operators that become functions of tcl/expr-functions.tcl. Recorded: `matches` is a glob over the whole string. */
export const wordFunctions: Readonly<Record<string, string>> = {
  starts_with: 'starts_with',
  ends_with: 'ends_with',
  contains: 'contains',
  matches: 'matches_glob',
  matches_glob: 'matches_glob',
  matches_regex: 'matches_regex',
};

function precedenceOf(levels: readonly string[]): Record<string, number> {
  const table: Record<string, number> = Object.create(null);
  levels.forEach((level, index) => {
    for (const operator of level.split(' ')) table[operator] = index + 1;
  });
  return table;
}

const BLANK = /(?:[ \t\r\n\f\v]|\\\n)+/y;
const NUMBER = /0[xX][0-9A-Fa-f]+|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?/y;
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const OPERATOR = /<<|>>|<=|>=|==|!=|&&|\|\||[-+~!*/%<>&^|?:(),]/y;

function match(pattern: RegExp, text: string, at: number, end: number): number {
  pattern.lastIndex = at;
  const found = pattern.exec(text);
  return found === null ? at : Math.min(end, at + found[0].length);
}

export function readToken(reading: Reading, from: number, end: number, scripts: Command[][]): Token {
  const { text } = reading;
  const start = match(BLANK, text, from, end);
  if (start >= end) return { kind: 'end', start: end, end, text: '' };
  const number = match(NUMBER, text, start, end);
  if (number > start) return { kind: 'operand', start, end: number, text: '' };
  const name = match(NAME, text, start, end);
  if (name > start) return named(text, start, name);
  const operator = match(OPERATOR, text, start, end);
  if (operator > start) return { kind: 'operator', start, end: operator, text: text.slice(start, operator) };
  return operand(reading, start, end, scripts);
}

function named(text: string, start: number, end: number): Token {
  const name = text.slice(start, end);
  return { kind: operatorPrecedence[name] === undefined ? 'word' : 'operator', start, end, text: name };
}

function operand(reading: Reading, start: number, end: number, scripts: Command[][]): Token {
  const content = { ...emptyContent(), scripts };
  const character = reading.text[start];
  if (character === '[') return { kind: 'operand', start, end: takeScript(reading, start, end, content), text: '' };
  if (character === '"') return { kind: 'operand', start, end: quoted(reading, start, end, scripts), text: '' };
  if (character === '{') {
    const close = closingBrace(reading.text, start, end);
    if (close === -1) fail(reading, start, 'missing close-brace');
    return { kind: 'operand', start, end: close === -1 ? end : close + 1, text: '' };
  }
  const stop = character === '$' ? takeVariable(reading, start, end, content) : start;
  if (stop > start + 1) return { kind: 'operand', start, end: stop, text: '' };
  return { kind: 'illegal', start, end, text: 'character not legal in expressions' };
}

function quoted(reading: Reading, start: number, end: number, scripts: Command[][]): number {
  const content = { ...emptyContent(), scripts };
  let at = start + 1;
  while (at < end && reading.failure === null && reading.text[at] !== '"') at = takeUnit(reading, at, end, content);
  if (at >= end) fail(reading, start, 'missing "');
  return Math.min(at + 1, end);
}
