/**
 * F5's reading of a script. It is Tcl 8.4's, with two differences that were recorded on BIG-IP 21.1: a word that begins
 * with `{` or `"` ends at its close and whatever follows begins a new word; and a newline doesn't end a command when
 * the next line begins with `{`, or with `else` or `elseif` after an `if`. Both are edited into what Tcl 8.6 reads
 * the same way: a space, and a backslash before the newline. It never throws; a failure is left in the reading.
 */
import { emptyContent, takeUnit } from './substitutions.ts';
import { type Command, fail, type Reading, type Word } from './words.ts';

export interface Script {
  commands: Command[];
  /** Where reading stopped: at the closing bracket of a command substitution, else at the end. */
  end: number;
  closed: boolean;
}

const BLANK = /[ \t\r\f\v]/;
const ELSE_LINE = /(?:else|elseif)(?=\s)/y;

/** Reads `text` from `start` to `end`; `nested` ones stop at their closing bracket. */
export function lexScript(reading: Reading, start: number, end: number, nested: boolean): Script {
  const commands: Command[] = [];
  let at = start;
  while (reading.failure === null) {
    at = skipBetweenCommands(reading, at, end);
    if (at >= end) break;
    if (nested && reading.text[at] === ']') return { commands, end: at, closed: true };
    const command = lexCommand(reading, at, end, nested);
    commands.push(command);
    at = endOfCommand(reading, command, end);
  }
  return { commands, end, closed: false };
}

const isContinuation = (text: string, at: number, end: number): boolean =>
  at + 1 < end && text[at] === '\\' && text[at + 1] === '\n';

function skipBetweenCommands(reading: Reading, start: number, end: number): number {
  const { text } = reading;
  let at = start;
  while (at < end) {
    const character = text[at] ?? '';
    if (BLANK.test(character) || character === '\n' || character === ';') at++;
    else if (isContinuation(text, at, end)) at += 2;
    else if (character === '#') at = skipComment(text, at, end);
    else break;
  }
  return Math.min(at, end);
}

function skipComment(text: string, start: number, end: number): number {
  let at = start;
  while (at < end && text[at] !== '\n') at += text[at] === '\\' ? 2 : 1;
  return at;
}

function skipBlanks(text: string, start: number, end: number): number {
  let at = start;
  while (at < end) {
    if (BLANK.test(text[at] ?? '')) at++;
    else if (isContinuation(text, at, end)) at += 2;
    else break;
  }
  return Math.min(at, end);
}

function lexCommand(reading: Reading, start: number, end: number, nested: boolean): Command {
  const words: Word[] = [];
  let at = start;
  while (at < end && reading.failure === null) {
    const character = reading.text[at] ?? '';
    if (character === ';' || (nested && character === ']')) break;
    if (character === '\n') {
      if (!goesOn(reading.text, words, at, end)) break;
      reading.edits.push({ start: at, end: at, text: '\\' });
      at = skipBlanks(reading.text, at + 1, end);
      continue;
    }
    const word = lexWord(reading, at, end, nested);
    words.push(word);
    at = skipBlanks(reading.text, word.end, end);
    // Recorded: `list {a}{b}` has two elements, and `{*}` is a word of its own and expands nothing.
    if (at === word.end && word.form !== 'bare' && !ends(reading.text, at, end, nested)) {
      reading.edits.push({ start: at, end: at, text: ' ' });
    }
  }
  return { start, end: words.at(-1)?.end ?? start, words };
}

function ends(text: string, at: number, end: number, nested: boolean): boolean {
  const character = text[at];
  return at >= end || character === '\n' || character === ';' || (nested && character === ']');
}

/** Does the command go on after this newline? A blank line or a comment between always ends it. */
function goesOn(text: string, words: readonly Word[], newline: number, end: number): boolean {
  let at = newline + 1;
  while (at < end && BLANK.test(text[at] ?? '')) at++;
  if (at >= end) return false;
  if (text[at] === '{') return true;
  ELSE_LINE.lastIndex = at;
  return words[0]?.literal === 'if' && ELSE_LINE.test(text);
}

/** The command's last word ends before the terminator; blanks between are skipped with it. */
function endOfCommand(reading: Reading, command: Command, end: number): number {
  return skipBlanks(reading.text, Math.max(command.end, command.start), end);
}

function lexWord(reading: Reading, start: number, end: number, nested: boolean): Word {
  const first = reading.text[start];
  if (first === '{') return lexBraced(reading, start, end);
  if (first === '"') return lexQuoted(reading, start, end);
  return lexBare(reading, start, end, nested);
}

/** Where the brace that opens at `start` closes, or -1. */
export function closingBrace(text: string, start: number, end: number): number {
  let depth = 0;
  for (let at = start; at < end; at++) {
    const character = text[at];
    if (character === '\\') at++;
    else if (character === '{') depth++;
    else if (character === '}' && --depth === 0) return at;
  }
  return -1;
}

function lexBraced(reading: Reading, start: number, end: number): Word {
  const close = closingBrace(reading.text, start, end);
  if (close === -1) fail(reading, start, 'missing close-brace');
  const innerEnd = close === -1 ? end : close;
  const literal = reading.text.slice(start + 1, innerEnd).replace(/\\\n[ \t]*/g, ' ');
  const wordEnd = close === -1 ? end : close + 1;
  return { start, end: wordEnd, form: 'braced', innerStart: start + 1, innerEnd, literal, plain: true, scripts: [] };
}

function lexQuoted(reading: Reading, start: number, end: number): Word {
  const content = emptyContent();
  let at = start + 1;
  while (at < end && reading.failure === null && reading.text[at] !== '"') at = takeUnit(reading, at, end, content);
  if (at >= end) fail(reading, start, 'missing "');
  const { value, plain, scripts } = content;
  const wordEnd = Math.min(at + 1, end);
  return { start, end: wordEnd, form: 'quoted', innerStart: start + 1, innerEnd: at, literal: value, plain, scripts };
}

function lexBare(reading: Reading, start: number, end: number, nested: boolean): Word {
  const { text } = reading;
  const content = emptyContent();
  let at = start;
  while (at < end && reading.failure === null) {
    const character = text[at] ?? '';
    if (BLANK.test(character) || ends(text, at, end, nested) || isContinuation(text, at, end)) break;
    at = takeUnit(reading, at, end, content);
  }
  const { value, plain, scripts } = content;
  return { start, end: at, form: 'bare', innerStart: start, innerEnd: at, literal: value, plain, scripts };
}
