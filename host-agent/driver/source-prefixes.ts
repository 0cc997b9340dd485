/**
 * Few prefixes in place of many sources: together they hold each source that is to go and none that is to stay. Whoever asks the
 * kernel's table of connections once for each source reads all of it as often. Pure.
 */
import { formatAddress, parseAddress } from '@edgeward/policy';

const BITS_A_DIGIT = 4;

/** Never everyone of a family: a prefix is as long as what the sources have in common, and has at least one digit. */
export function prefixesOf(going: Iterable<string>, staying: Iterable<string>): string[] {
  const keys = (texts: Iterable<string>): string[] => [
    ...new Set([...texts].flatMap((text) => parseAddress(text) ?? [])),
  ];
  // Of one that is among both, by flows of different kinds, all go: what is let in begins anew.
  const [out, kept] = [keys(going), keys(staying)];
  return [8, 32].flatMap((digits) => {
    const isOf = (key: string): boolean => key.length === digits;
    return prefixesBelow('', out.filter(isOf), kept.filter(isOf));
  });
}

function prefixesBelow(prefix: string, going: readonly string[], staying: readonly string[]): string[] {
  const [first] = going;
  if (first === undefined) return [];
  if (first.length === prefix.length) return [formatAddress(first)];
  if (staying.length === 0) {
    const common = commonStart(going);
    if (common === first) return [formatAddress(first)];
    if (common !== '') return [`${formatAddress(common.padEnd(first.length, '0'))}/${common.length * BITS_A_DIGIT}`];
  }
  const digits = [...new Set(going.map((key) => key.charAt(prefix.length)))];
  return digits.flatMap((digit) => {
    const below = (key: string): boolean => key.charAt(prefix.length) === digit;
    return prefixesBelow(prefix + digit, going.filter(below), staying.filter(below));
  });
}

function commonStart(keys: readonly string[]): string {
  const [first = '', ...others] = keys;
  let length = first.length;
  for (const key of others) while (!key.startsWith(first.slice(0, length))) length -= 1;
  return first.slice(0, length);
}
