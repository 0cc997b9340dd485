/**
 * tmsh's words: separated by blanks, `{` and `}` stand for themselves, `"…"` holds anything, a backslash takes the next
 * character literally. Writing and reading are each other's inverse, so that data never becomes structure.
 */
import { syntaxError } from '../mcpd-errors.ts';

export interface Word {
  text: string;
  /** A brace that is structure, not text. */
  sign: '{' | '}' | null;
  quoted: boolean;
  line: number;
}

export interface Words {
  /** Null at the end. */
  peek(): Word | null;
  next(): Word | null;
  /** After `{`: everything up to its `}` as it stands, with escapes; a brace after a backslash does not count. */
  body(): string;
  /** Whether what follows matches; the expression is sticky. */
  follows(pattern: RegExp): boolean;
  line(): number;
}

const PLAIN = /^[A-Za-z0-9_./:%,;=@~*+-]+$/;

/** Bare where that is safe, else quoted. */
export function written(text: string): string {
  if (PLAIN.test(text)) return text;
  return `"${text.replace(/[\\"]/g, '\\$&')}"`;
}

/** Quoted whatever it is: an unquoted number is a number. */
export const quoted = (text: string): string => `"${text.replace(/[\\"]/g, '\\$&')}"`;

export function startOfWords(text: string): Words {
  let at = 0;
  let line = 1;
  let ahead: Word | null | undefined;

  // A comment is a line that begins with `#`; elsewhere the sign is text.
  let lineStart = true;
  const skipBlanks = (): void => {
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code === 10) {
        line++;
        lineStart = true;
      } else if (code === 35 && lineStart) at = endOfLine(text, at) - 1;
      else if (code !== 32 && code !== 9 && code !== 13) break;
    }
    lineStart = false;
  };
  const readQuoted = (): Word => {
    const start = line;
    let made = '';
    let from = ++at;
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code === 10) line++;
      if (code === 34) break;
      if (code !== 92) continue;
      made += text.slice(from, at);
      from = ++at;
      if (text.charCodeAt(at) === 10) line++;
    }
    if (at >= text.length) throw syntaxError(start, 'missing closing quote');
    made += text.slice(from, at++);
    return { text: made, sign: null, quoted: true, line: start };
  };
  const readBare = (): Word => {
    const start = line;
    let made = '';
    let from = at;
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code === 92) {
        made += text.slice(from, at);
        from = ++at;
        if (text.charCodeAt(at) === 10) line++;
      } else if (code === 32 || code === 9 || code === 10 || code === 13 || code === 123 || code === 125) break;
    }
    return { text: made + text.slice(from, at), sign: null, quoted: false, line: start };
  };
  const read = (): Word | null => {
    skipBlanks();
    const character = text[at];
    if (character === undefined) return null;
    if (character === '{' || character === '}') {
      at++;
      return { text: character, sign: character, quoted: false, line };
    }
    return character === '"' ? readQuoted() : readBare();
  };
  const peek = (): Word | null => {
    if (ahead === undefined) ahead = read();
    return ahead;
  };
  return {
    peek,
    next() {
      const word = peek();
      ahead = undefined;
      return word;
    },
    body() {
      const end = endOfBody(text, at);
      if (end === null) throw syntaxError(line, 'missing closing brace');
      const body = text.slice(at, end);
      for (let index = body.indexOf('\n'); index !== -1; index = body.indexOf('\n', index + 1)) line++;
      at = end + 1;
      return body;
    },
    follows(pattern) {
      pattern.lastIndex = at;
      return pattern.test(text);
    },
    line: () => line,
  };
}

const endOfLine = (text: string, from: number): number => {
  const newline = text.indexOf('\n', from);
  return newline === -1 ? text.length : newline;
};

/** Where the `}` stands that ends the body which begins at `from`; null when there is none. */
export function endOfBody(text: string, from: number): number | null {
  let depth = 1;
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 92) at++;
    else if (code === 123) depth++;
    else if (code === 125 && --depth === 0) return at;
  }
  return null;
}
