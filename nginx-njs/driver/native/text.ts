/**
 * Words of NGINX's configuration, and blocks of `map` and `geo`. Names come from a policy that others write: whatever is
 * not made of the characters listed here never becomes text. NGINX compares the words of a map without case, gives
 * some of them a meaning of their own, and refuses to start when one is too long for its table; keys are written so that
 * none of this shows.
 */

/** All that stands in a value or a plain key: no quote, backslash, dollar, brace or semicolon. */
const PLAIN = /^[A-Za-z0-9._/ -]*$/;
const SPECIAL = new Set(['default', 'hostnames', 'include', 'volatile']);
/** A table of NGINX has buckets of 64 bytes, of which 46 are for the longest key. */
const LONGEST_KEY = 40;

function word(text: string): string {
  if (!PLAIN.test(text)) throw new Error(`${JSON.stringify(text)} can't stand in a configuration of NGINX`);
  return `"${text}"`;
}

export interface Key {
  key: string;
  /** A pattern is compared with case, after every plain key. */
  isPattern: boolean;
}

/** `twins`: keys in lower case that more than one of this map has. */
export function plainKey(text: string, twins: ReadonlySet<string> = new Set()): Key {
  if (text.length > LONGEST_KEY || twins.has(text.toLowerCase())) return pattern(literal(text));
  return { key: SPECIAL.has(text.toLowerCase()) ? `"\\${text}"` : word(text), isPattern: false };
}

/** A pattern for the whole value; `literal` makes what is no pattern one. */
export function pattern(text: string): Key {
  return { key: `"~^(?:${text})$"`, isPattern: true };
}

export function literal(text: string): string {
  word(text);
  return text.replaceAll('.', '\\.');
}

/** Of these, in lower case, those that are there more than once. */
export function twinsAmong(texts: readonly string[]): Set<string> {
  const seen = new Set<string>();
  const twins = new Set<string>();
  for (const text of texts.map((it) => it.toLowerCase())) (seen.has(text) ? twins : seen).add(text);
  return twins;
}

/** A value is a variable or plain words. */
export type MapLine = readonly [key: Key, value: string];

export function mapBlock(source: string, variable: string, otherwise: string, lines: readonly MapLine[]): string {
  const body = lines.map(([{ key }, value]) => `    ${key} ${valueWord(value)};\n`).join('');
  return `map ${source} $${variable} {\n    default ${valueWord(otherwise)};\n${body}}\n`;
}

function valueWord(value: string): string {
  return /^\$edgeward_[a-z0-9_]+$/.test(value) ? value : word(value);
}
