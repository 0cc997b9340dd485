/**
 * Text as PostgreSQL takes it. It keeps no U+0000 in any text, so that one stands there as U+2400, which says the same to
 * a reader; what would be taken for it is escaped by U+241B, so that what is read is what was stored. A lone surrogate,
 * which no UTF-8 has, becomes U+FFFD as everywhere. An index takes no long text: of a name that is longer, the
 * beginning and a digest stand for it.
 */
import { createHash } from 'node:crypto';

/** By code points: a surrogate that is one of a pair is none. */
const special = /[\0\u2400\u241B\p{Cs}]/gu;
const escaped = /\u241B(.)|\u2400/gsu;

export const storedText = (text: string): string => text.replace(special, storedCharacter);

function storedCharacter(found: string): string {
  if (found === '\0') return '\u2400';
  return found === '\u2400' || found === '\u241B' ? `\u241B${found}` : '\uFFFD';
}

export function readText(stored: string): string {
  return stored.replace(escaped, (_, kept: string | undefined) => kept ?? '\0');
}

/** Six of them in one index are under a third of a page, which is what PostgreSQL takes (2,704 bytes). */
const maxNameBytes = 400;
const digestDigits = 32;

/** What is already stored text, as the key of an index. */
export function storedName(stored: string): string {
  // Each unit is three bytes at most: most names need no counting.
  if (stored.length * 3 <= maxNameBytes || Buffer.byteLength(stored) <= maxNameBytes) return stored;
  const begin = Buffer.from(stored).subarray(0, maxNameBytes - digestDigits - 8);
  const digest = createHash('sha256').update(stored).digest('hex').slice(0, digestDigits);
  return `${new TextDecoder('utf-8', { ignoreBOM: true }).decode(begin, { stream: true })}…${digest}`;
}

export const digestOf = (stored: string): Buffer => createHash('sha256').update(stored).digest();
