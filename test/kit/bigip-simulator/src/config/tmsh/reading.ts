/** Stanzas of a configuration file, as bodies of objects. Errors name the line. */
import type { Kind, Properties } from '../box-config.ts';
import { knownKinds } from '../kinds.ts';
import { syntaxError } from '../mcpd-errors.ts';
import { type Block, type Entry, namesIn, parseBlock } from './blocks.ts';
import { JSON_MARK, NUMBER, propertyOf, shapeOf, VERBATIM } from './shapes.ts';
import { startOfWords, type Word, type Words } from './words.ts';

export interface Stanza {
  kind: Kind;
  /** Empty for a kind of which there is one. */
  name: string;
  line: number;
  body: Properties;
}

const KNOWN = new Set(knownKinds.map(({ kind }) => kind));

export function readStanzas(text: string): Stanza[] {
  const words = startOfWords(text);
  const stanzas: Stanza[] = [];
  for (let head = readHead(words); head !== null; head = readHead(words)) {
    const { kind, name, line } = head;
    stanzas.push({ kind, name, line, body: VERBATIM.has(kind) ? verbatim(words, kind) : properties(words, kind) });
  }
  return stanzas;
}

const properties = (words: Words, kind: Kind): Properties => objectOf(parseBlock(words, 0), kind, '');

// A body that would have been taken for structure is written as a property.
function verbatim(words: Words, kind: Kind): Properties {
  if (words.follows(/\s*api-anonymous[ \t]/y)) return properties(words, kind);
  return { apiAnonymous: words.body().trim() };
}

function readHead(words: Words): { kind: Kind; name: string; line: number } | null {
  const head: Word[] = [];
  for (let word = words.next(); word !== null; word = words.next()) {
    if (word.sign === '{') return named(head, word.line);
    if (word.sign === '}') throw syntaxError(word.line, 'unexpected "}"');
    head.push(word);
  }
  const [first] = head;
  if (first === undefined) return null;
  throw syntaxError(first.line, `missing "{" after "${head.map(({ text }) => text).join(' ')}"`);
}

function named(head: readonly Word[], line: number): { kind: Kind; name: string; line: number } {
  const texts = head.map(({ text }) => text);
  const all = texts.join(' ');
  const last = head.at(-1);
  const kind = texts.slice(0, -1).join(' ');
  if (last === undefined || head.length < 2) throw syntaxError(line, `"${all}" unexpected argument`);
  if (KNOWN.has(all) && !last.quoted) throw syntaxError(line, `a name is missing after "${all}"`);
  if (KNOWN.has(kind) || last.quoted || last.text.startsWith('/') || head.length > 2)
    return { kind, name: last.text, line };
  return { kind: all, name: '', line };
}

function objectOf(block: Block, kind: Kind, within: string): Properties {
  const entries = block.oneLine ? inTurns(block.entries) : block.entries;
  return Object.fromEntries(
    entries.map((entry) => [propertyOf(entry.key), entryValue(entry, kind, within + entry.key)]),
  );
}

/** `{ context all type x records { … } }`: in a block on one line keys and values take turns. */
function inTurns(entries: readonly Entry[]): Entry[] {
  return entries.flatMap(({ key, line, values, block }) => {
    const words: Word[] = [{ text: key, quoted: false, sign: null, line }, ...values];
    const turns: Entry[] = [];
    for (let at = 0; at < words.length; at += 2) {
      const [name, value] = words.slice(at, at + 2);
      const own = at + 2 > words.length ? block : null;
      if (name !== undefined)
        turns.push({ key: name.text, line, values: value === undefined ? [] : [value], block: own });
    }
    const last = turns.at(-1);
    // `min 1 of { … }` has a value and a block: then the line is one thing.
    return block !== null && last?.block === null ? [{ key, line, values, block }] : turns;
  });
}

function entryValue(entry: Entry, kind: Kind, place: string): unknown {
  const { values, block, key } = entry;
  const shape = shapeOf(kind, place);
  if (shape === 'text' || (block !== null && values.length > 0)) return lineOf(entry);
  if (shape === 'words' && block !== null) return namesIn(block).map(({ name }) => name);
  if ((shape === 'named' || shape === 'placed') && block !== null) return namedIn(block, kind, key);
  if (block !== null) return blockValue(block, kind, key);
  const [only, more] = values;
  if (only === undefined) return true;
  return more === undefined ? scalar(only) : lineOf(entry);
}

function blockValue(block: Block, kind: Kind, key: string): unknown {
  const { entries } = block;
  if (entries.length === 0) return {};
  if (entries.some(({ values }) => values.length > 0)) return objectOf(block, kind, `${key}.`);
  if (entries.every(({ block: own }) => own === null)) return entries.map((entry) => entry.key);
  return namedIn(block, kind, key);
}

const namedIn = (block: Block, kind: Kind, key: string): Properties[] =>
  namesIn(block).map(({ name, block: own }) => ({ ...(own === null ? {} : objectOf(own, kind, `${key}.`)), name }));

/** `min 1 of { /Common/tcp }`, as REST says it. */
function lineOf({ values, block }: Entry): string {
  const said = values.map(({ text }) => text);
  if (block !== null) said.push('{', ...namesIn(block).map(({ name }) => name), '}');
  return said.join(' ');
}

function scalar({ text, quoted }: Word): unknown {
  if (!quoted && NUMBER.test(text)) return Number(text);
  if (!text.startsWith(JSON_MARK)) return text;
  try {
    return JSON.parse(text.slice(JSON_MARK.length));
  } catch {
    return text;
  }
}
