/** The structure of tmsh text: a block is a list of entries, an entry a key with values on its line and perhaps a block. */
import { syntaxError } from '../mcpd-errors.ts';
import type { Word, Words } from './words.ts';

export interface Entry {
  key: string;
  line: number;
  /** Words after the key, on its line. */
  values: Word[];
  block: Block | null;
}

export interface Block {
  entries: Entry[];
  oneLine: boolean;
}

/** Deeper than any configuration; a hostile one must not exhaust the stack. */
const MAX_DEPTH = 64;

/** What a list of named things says: `{ a b { … } }` are `a` and, with a block, `b`. */
export function namesIn(block: Block): { name: string; line: number; block: Block | null }[] {
  return block.entries.flatMap(({ key, line, values, block: own }) => {
    const names = [{ text: key, line }, ...values];
    return names.map(({ text, line }, index) => ({ name: text, line, block: index === names.length - 1 ? own : null }));
  });
}

/** After `{`. A line is an entry, and so is what precedes a block on the same line. */
export function parseBlock(words: Words, depth: number): Block {
  if (depth > MAX_DEPTH) throw syntaxError(words.line(), 'blocks are nested too deeply');
  const entries: Entry[] = [];
  const first = words.line();
  for (;;) {
    const key = words.next();
    if (key === null) throw syntaxError(first, 'missing closing brace');
    if (key.sign === '}') return { entries, oneLine: key.line === first };
    if (key.sign === '{') throw syntaxError(key.line, 'a name is missing before "{"');
    entries.push(parseEntry(key, words, depth));
  }
}

function parseEntry(key: Word, words: Words, depth: number): Entry {
  const values: Word[] = [];
  let end = lastLine(key);
  for (let word = words.peek(); word !== null && word.line === end && word.sign === null; word = words.peek()) {
    values.push(word);
    words.next();
    end = lastLine(word);
  }
  const word = words.peek();
  if (word?.sign !== '{' || word.line !== end) return { key: key.text, line: key.line, values, block: null };
  words.next();
  return { key: key.text, line: key.line, values, block: parseBlock(words, depth + 1) };
}

// A quoted word may go over several lines; what follows it on its last line still belongs to it.
function lastLine(word: Word): number {
  let lines = 0;
  for (let at = word.text.indexOf('\n'); at !== -1; at = word.text.indexOf('\n', at + 1)) lines++;
  return word.line + lines;
}
