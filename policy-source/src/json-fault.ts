/**
 * Says what is wrong with a line of JSON and where: the first fault of syntax, or the first key that an object has
 * twice. Called only for lines that JSON.parse refused or that hold fewer keys than they show; JSON.parse itself
 * names no place for some faults and hides a repeated key. Does not recurse.
 */

export interface JsonFault {
  code: 'EDW_ERR_JSON_SYNTAX' | 'EDW_ERR_DUPLICATE_KEY';
  /** Into the line, from 0, in UTF-16 units. */
  offset: number;
  message: string;
  mend: string;
}

const space = /[ \t\r\n]*/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: RFC 8259 §7 forbids exactly these inside a string
const text = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*/y;
const scalar = /(?:-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null)(?![0-9A-Za-z_.+-])/y;

type Wanted =
  | 'a value'
  | 'a value or ]'
  | 'a key'
  | 'a key or }'
  | 'a colon'
  | 'a comma or ]'
  | 'a comma or }'
  | 'the end of the line';

/** An open object has the keys seen so far; an open list has none. */
type Open = Set<string> | null;

function after(pattern: RegExp, line: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(line) ? pattern.lastIndex : -1;
}

function syntax(offset: number, message: string, mend: string): JsonFault {
  return { code: 'EDW_ERR_JSON_SYNTAX', offset, message, mend };
}

function wanted(line: string, at: number, expected: Wanted): JsonFault {
  const found =
    at < line.length ? JSON.stringify(String.fromCodePoint(line.codePointAt(at) ?? 0)) : 'the end of the line';
  const mend = 'Write one complete JSON document per line; keys and texts stand in double quotes.';
  return syntax(at, `Expected ${expected}, found ${found}`, mend);
}

function textFault(line: string, start: number, end: number): JsonFault {
  if (end >= line.length) return syntax(start, 'This quote is never closed on its line', 'Add the closing quote.');
  if (line[end] === '\\') return syntax(end, 'JSON knows no such escape', 'Write \\\\ for a backslash.');
  const name = `U+${line.charCodeAt(end).toString(16).toUpperCase().padStart(4, '0')}`;
  return syntax(end, `The control character ${name} stands in a text`, 'Remove it or write it as an escape.');
}

interface State {
  line: string;
  at: number;
  expected: Wanted;
  open: Open[];
  repeated: JsonFault | null;
}

/** After a whole value: what may follow it. */
function valueRead(state: State, end: number): void {
  const innermost = state.open.at(-1);
  state.at = end;
  if (innermost === undefined) state.expected = 'the end of the line';
  else state.expected = innermost === null ? 'a comma or ]' : 'a comma or }';
}

function keyRead(state: State, end: number): void {
  const key: string = JSON.parse(state.line.slice(state.at, end));
  const keys = state.open.at(-1);
  if (keys?.has(key)) {
    const message = `The key ${JSON.stringify(key)} stands twice in one object; this is the second`;
    const mend = 'Remove one of the two.';
    state.repeated ??= { code: 'EDW_ERR_DUPLICATE_KEY', offset: state.at, message, mend };
  }
  keys?.add(key);
  state.at = end;
  state.expected = 'a colon';
}

function readText(state: State): JsonFault | null {
  const end = after(text, state.line, state.at);
  if (state.line[end] !== '"') return textFault(state.line, state.at, end);
  if (state.expected.startsWith('a key')) keyRead(state, end + 1);
  else valueRead(state, end + 1);
  return null;
}

function readScalar(state: State): JsonFault | null {
  const end = after(scalar, state.line, state.at);
  if (end === -1) return wanted(state.line, state.at, state.expected);
  valueRead(state, end);
  return null;
}

/** Reads a bracket, a colon or a comma where one is expected; false when none stands there. */
function readMark(state: State, char: string | undefined): boolean {
  const { expected, open } = state;
  if (char === ':' && expected === 'a colon') state.expected = 'a value';
  else if (char === ',' && expected.startsWith('a comma')) state.expected = open.at(-1) === null ? 'a value' : 'a key';
  else if (char === '{' && expected.startsWith('a value')) {
    open.push(new Set());
    state.expected = 'a key or }';
  } else if (char === '[' && expected.startsWith('a value')) {
    open.push(null);
    state.expected = 'a value or ]';
  } else if ((char === '}' || char === ']') && expected.endsWith(` or ${char}`)) {
    open.pop();
    valueRead(state, state.at + 1);
    return true;
  } else return false;
  state.at++;
  return true;
}

/** The first fault of syntax, else the first repeated key, else null. */
export function jsonFault(line: string): JsonFault | null {
  const state: State = { line, at: 0, expected: 'a value', open: [], repeated: null };
  for (;;) {
    state.at = after(space, line, state.at);
    const char = line[state.at];
    if (state.expected === 'the end of the line' && char === undefined) return state.repeated;
    if (readMark(state, char)) continue;
    const takesText = state.expected.startsWith('a value') || state.expected.startsWith('a key');
    let fault: JsonFault | null;
    if (char === '"' && takesText) fault = readText(state);
    else if (state.expected.startsWith('a value')) fault = readScalar(state);
    else fault = wanted(line, state.at, state.expected);
    if (fault !== null) return fault;
  }
}
