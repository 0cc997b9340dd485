/**
 * The words of an NGINX configuration, as NGINX itself cuts them (ngx_conf_read_token in 1.22 to 1.30): quotes, escapes,
 * `${x}`, comments. What NGINX takes is taken in the same pieces; what it refuses is refused here, with the line. Knows
 * nothing of directives.
 */
import { luaBlockEnd } from './lua-block.ts';

type Statement =
  | { kind: 'directive'; words: string[]; line: number }
  | { kind: 'open'; words: string[]; line: number }
  | { kind: 'close'; line: number }
  | { kind: 'end'; line: number }
  | { kind: 'fault'; problem: string; line: number };

export interface StatementReader {
  /** After `end` and `fault` the same again. */
  next(): Statement;
  /** Right after `open` of a block that holds another language: to behind its closing brace; false where there is none. */
  skipLua(): boolean;
}

/** NGINX reads with a buffer of 4096 bytes and refuses a word that does not fit. */
const MAX_WORD_CHARS = 4096;

interface Place {
  text: string;
  at: number;
  line: number;
}

export function createStatementReader(text: string): StatementReader {
  const place: Place = { text, at: 0, line: 1 };
  let last: Statement | null = null;
  return {
    next() {
      if (last !== null) return last;
      const statement = readStatement(place);
      if (statement.kind === 'end' || statement.kind === 'fault') last = statement;
      return statement;
    },
    skipLua() {
      const end = luaBlockEnd(text, place.at);
      if (end === null) return false;
      place.line += linesIn(text.slice(place.at, end));
      place.at = end;
      return true;
    },
  };
}

function readStatement(place: Place): Statement {
  const words: string[] = [];
  let line = place.line;
  for (;;) {
    skipBlank(place);
    if (words.length === 0) line = place.line;
    const char = place.text[place.at];
    if (char === undefined) {
      const isEnd = words.length === 0;
      return isEnd ? { kind: 'end', line } : fault(place, 'the file ends inside a directive');
    }
    if (char === ';' || char === '{' || char === '}') {
      place.at += 1;
      return ending(char, words, line, place);
    }
    const read = readWord(place);
    if ('problem' in read) return read;
    words.push(read.word);
  }
}

function ending(char: string, words: string[], line: number, place: Place): Statement {
  if (char === '}') return words.length === 0 ? { kind: 'close', line } : fault(place, 'a "}" that ends no directive');
  if (words.length === 0) return fault(place, `a "${char}" without a directive`);
  return { kind: char === ';' ? 'directive' : 'open', words, line };
}

/** Blanks and comments; a comment begins only where a word could. */
function skipBlank(place: Place): void {
  for (;;) {
    const char = place.text[place.at];
    if (char === '#') place.at = lineEnd(place);
    else if (char === '\n') {
      place.line += 1;
      place.at += 1;
    } else if (isBlank(char)) place.at += 1;
    else return;
  }
}

function lineEnd({ text, at }: Place): number {
  const end = text.indexOf('\n', at);
  return end < 0 ? text.length : end;
}

type Word = { word: string } | (Statement & { kind: 'fault' });

function readWord(place: Place): Word {
  const quote = place.text[place.at];
  const word = quote === '"' || quote === "'" ? readQuoted(place, quote) : readBare(place);
  if ('word' in word && word.word.length > MAX_WORD_CHARS) return fault(place, 'a word of more than 4096 characters');
  return word;
}

function readQuoted(place: Place, quote: string): Word {
  const { text } = place;
  const from = place.at + 1;
  const begun = place.line;
  for (place.at = from; place.at < text.length; place.at += 1) {
    const char = text[place.at];
    if (char === '\n') place.line += 1;
    if (char === '\\') {
      place.at += 1;
      if (text[place.at] === '\n') place.line += 1;
    } else if (char === quote) {
      const word = unescaped(text.slice(from, place.at));
      place.at += 1;
      const next = text[place.at];
      // A `)` may follow at once, as in `if ($a = "b")`; it begins a word of its own.
      if (next === undefined || isBlank(next) || next === '\n' || next === ';' || next === '{' || next === ')')
        return { word };
      return fault(place, `"${next}" right after a closing quote`);
    }
  }
  return { kind: 'fault', problem: `a ${quote} that is never closed`, line: begun };
}

function readBare(place: Place): Word {
  const { text } = place;
  const from = place.at;
  let isVariable = false;
  for (; place.at < text.length; place.at += 1) {
    const char = text[place.at] ?? '';
    // `${`, and as NGINX has it `${{` too: no block begins there.
    if (char === '{' && isVariable) continue;
    isVariable = char === '$';
    if (char === '\\') {
      place.at += 1;
      if (text[place.at] === '\n') place.line += 1;
    } else if (isBlank(char) || char === '\n' || char === ';' || char === '{') {
      return { word: unescaped(text.slice(from, place.at)) };
    }
  }
  place.at = text.length;
  return fault(place, 'the file ends inside a directive');
}

const ESCAPES: Record<string, string> = { '"': '"', "'": "'", '\\': '\\', t: '\t', r: '\r', n: '\n' };

/** Any other escaped character keeps its backslash: regular expressions rely on it. */
function unescaped(raw: string): string {
  return raw.includes('\\') ? raw.replace(/\\(["'\\trn])/g, (_, char: string) => ESCAPES[char] ?? char) : raw;
}

function isBlank(char: string | undefined): boolean {
  return char === ' ' || char === '\t' || char === '\r';
}

function linesIn(text: string): number {
  return text.split('\n').length - 1;
}

function fault({ line }: Place, problem: string): Statement & { kind: 'fault' } {
  return { kind: 'fault', problem, line };
}
