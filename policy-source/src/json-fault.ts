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

type Expected = 'a value' | 'a value or ]' | 'a key' | 'a key or }' | 'a colon' | 'a comma or ]' | 'a comma or }';
type Wanted = Expected | 'the end of the line';

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

function next(open: readonly Open[]): Wanted {
  if (open.length === 0) return 'the end of the line';
  return open.at(-1) === null ? 'a comma or ]' : 'a comma or }';
}

/** The first fault, or null when the line is JSON without repeated keys. */
export function jsonFault(line: string): JsonFault | null {
  const open: Open[] = [];
  let expected: Wanted = 'a value';
  let at = 0;
  for (;;) {
    at = after(space, line, at);
    const char = line[at];
    if (expected === 'the end of the line') return char === undefined ? null : wanted(line, at, expected);
    if (char === '"' && expected !== 'a colon' && !expected.startsWith('a comma')) {
      const end = after(text, line, at);
      if (line[end] !== '"') return textFault(line, at, end);
      if (expected.startsWith('a key')) {
        const key: string = JSON.parse(line.slice(at, end + 1));
        const keys = open.at(-1);
        if (keys?.has(key)) {
          const message = `The key ${JSON.stringify(key)} stands twice in one object; this is the second`;
          return { code: 'EDW_ERR_DUPLICATE_KEY', offset: at, message, mend: 'Remove one of the two.' };
        }
        keys?.add(key);
        expected = 'a colon';
      } else expected = next(open);
      at = end + 1;
    } else if (char === ':' && expected === 'a colon') {
      expected = 'a value';
      at++;
    } else if (char === ',' && expected.startsWith('a comma')) {
      expected = open.at(-1) === null ? 'a value' : 'a key';
      at++;
    } else if ((char === '}' && expected.endsWith('}')) || (char === ']' && expected.endsWith(']'))) {
      open.pop();
      expected = next(open);
      at++;
    } else if (!expected.startsWith('a value')) {
      return wanted(line, at, expected);
    } else if (char === '{' || char === '[') {
      open.push(char === '{' ? new Set() : null);
      expected = char === '{' ? 'a key or }' : 'a value or ]';
      at++;
    } else {
      const end = after(scalar, line, at);
      if (end === -1) return wanted(line, at, expected);
      expected = next(open);
      at = end;
    }
  }
}
