/**
 * Text for tmsh: configuration that `load sys config merge` reads, and command lines. Whatever a name or a value holds,
 * it is one word of its own and never structure; nothing else in this folder quotes anything. tmsh has no word for a
 * value that is empty or `none`: such a property is left out.
 */
import type { DataRecord } from '../driver/layout/index.ts';

/** Bare in a configuration file. */
const PLAIN = /^[A-Za-z0-9_/.:%,=@~+*-]+$/;

/** Bare in a command line too, where a shell reads it first. */
const PLAIN_IN_SHELL = /^[A-Za-z0-9_/.:%,=@+-]+$/;

/** One word, quoted where it has to be. */
function tmshWord(text: string): string {
  return PLAIN.test(text) ? text : `"${text.replace(/[\\"]/g, '\\$&')}"`;
}

export interface GroupText {
  /** `/Edgeward/eg_map` */
  fullPath: string;
  type: 'ip' | 'string';
  description?: string;
  records: Iterable<DataRecord>;
}

/** A stanza, line by line: a group may have fifty thousand records. */
export function* groupStanza({ fullPath, type, description = '', records }: GroupText): Generator<string> {
  yield `ltm data-group internal ${tmshWord(fullPath)} {\n`;
  if (isSaid(description)) yield `    description ${tmshWord(description)}\n`;
  yield '    records {\n';
  for (const { name, data } of records) {
    const head = `        ${tmshWord(name)} {`;
    yield isSaid(data) ? `${head}\n            data ${tmshWord(data)}\n        }\n` : `${head} }\n`;
  }
  yield `    }\n    type ${type}\n}\n`;
}

function isSaid(value: string): boolean {
  return value !== '' && value !== 'none';
}

/** A rule is written as it stands, between braces. null: its own braces don't pair, so that tmsh would lose its end. */
export function ruleStanza(fullPath: string, text: string): string | null {
  const isSafe = bracesPair(text) && !/^\s*api-anonymous[ \t]/.test(text);
  return isSafe ? `ltm rule ${tmshWord(fullPath)} {\n${text}\n}\n` : null;
}

/** As tmsh counts them: a brace after a backslash is none, one in a comment or in quotes is one. */
function bracesPair(text: string): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    // A backslash at the end would take the closing brace of the stanza's own line.
    if (character === '\\') at += 1;
    else if (character === '{') depth += 1;
    else if (character === '}') depth -= 1;
    if (depth < 0) return false;
  }
  return depth === 0 && !text.endsWith('\\');
}

/** Part of a command: syntax of ours as it stands, or a word that is data. */
export type CommandPart = string | { word: string };

/**
 * A line for bash. `tmsh modify ltm virtual …` where no word needs a quote; otherwise `tmsh -c '…'`, because bash takes
 * quotes away that tmsh wants to see. null: a control character, which no line can carry.
 */
export function tmshCommand(parts: readonly CommandPart[]): string | null {
  const words = parts.flatMap((part) => (typeof part === 'string' ? [] : [part.word]));
  if (words.some((word) => /\p{Cc}/u.test(word))) return null;
  const isPlain = words.every((word) => PLAIN_IN_SHELL.test(word));
  const text = parts.map((part) => (typeof part === 'string' ? part : tmshWord(part.word))).join(' ');
  return isPlain ? `tmsh ${text}` : `tmsh -c ${shellWord(text)}`;
}

/** One word for a POSIX shell. */
export function shellWord(text: string): string {
  return PLAIN_IN_SHELL.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
