/**
 * Text on its way to a terminal. What a stranger wrote (a path, a host, a file name) may hold sequences that move the
 * cursor, recolour or reorder what is shown; they are made visible instead. Colours are added afterwards.
 */
import { styleText } from 'node:util';

// Controls, formats (bidirectional marks, zero widths, tags), lone surrogates, private and unassigned code points,
// line and paragraph separators: nothing that a reader could see as it is.
const unseen = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;
const unseenInJson = /[\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\u007f-\u009f]/gu;

/** One line, nothing hidden in it: `\x1b`, `\u{202e}`. */
export function printable(text: string): string {
  return text.replace(unseen, escapeOf);
}

/** The same for text of several lines that we wrote ourselves. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

/** JSON that hides nothing from a terminal either; it parses to the same value. */
export function jsonText(value: unknown, indent = 0): string {
  return JSON.stringify(value, null, indent).replace(unseenInJson, jsonEscapeOf);
}

function escapeOf(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
}

function jsonEscapeOf(character: string): string {
  return [...Array(character.length).keys()]
    .map((i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`)
    .join('');
}

export interface Paint {
  good(text: string): string;
  bad(text: string): string;
  warn(text: string): string;
  strong(text: string): string;
  dim(text: string): string;
}

const plain = (text: string): string => text;

/** With `on` false every function gives its text back. */
export function createPaint(on: boolean): Paint {
  if (!on) return { good: plain, bad: plain, warn: plain, strong: plain, dim: plain };
  const style =
    (format: 'green' | 'red' | 'yellow' | 'bold' | 'dim') =>
    (text: string): string =>
      styleText(format, text, { validateStream: false });
  return { good: style('green'), bad: style('red'), warn: style('yellow'), strong: style('bold'), dim: style('dim') };
}

/** On a terminal, unless told otherwise (https://no-color.org). */
export function wantsColour(isTty: boolean, noColor: boolean, env: Record<string, string | undefined>): boolean {
  return isTty && !noColor && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb';
}

/** `1 error`, `2 errors`, `no errors`. */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  const number = count === 0 ? 'no' : count.toLocaleString('en');
  return `${number} ${count === 1 ? noun : plural}`;
}
