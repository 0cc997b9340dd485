/**
 * What is sent to tclsh: one line each, a Tcl list in which every byte beyond a few plain ones is written `\xHH`, so that
 * no content can be anything but content. Strings hold one byte a character; text is turned into its UTF-8 bytes first.
 */

/** A list is written as one element. */
export type Word = string | number | readonly Word[];

const PLAIN = /^[A-Za-z0-9_./:%,=*+~@!?&'()<>|^-]+$/;
const UNUSUAL = /[^A-Za-z0-9_./:%,=*+~@!?&'()<>|^-]/g;

export function tclLine(words: readonly Word[]): string {
  return `${words.map(tclWord).join(' ')}\n`;
}

function tclWord(word: Word): string {
  if (typeof word === 'number') return String(word);
  if (typeof word !== 'string') return `{${word.map(tclWord).join(' ')}}`;
  if (PLAIN.test(word)) return word;
  return word === '' ? '{}' : word.replace(UNUSUAL, escaped);
}

const escaped = (char: string): string => `\\x${(char.charCodeAt(0) & 0xff).toString(16).padStart(2, '0')}`;

/** Text as the string of its UTF-8 bytes. */
export function bytesOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** A string of bytes, read as UTF-8. */
export function textOf(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
