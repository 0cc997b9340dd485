import { cidrsOf, type Interval } from '@edgeward/policy';

/**
 * Addresses in the very text in which `ipset save` gives them back (7.17, glibc), so that what stands in the kernel can be
 * compared as text: no prefix on a single address, and the last 32 bits dotted in `::/96` and `::ffff:0:0/96`.
 * Null: everyone of this family. The kernel refuses `/0` in a set, so whoever asks for everyone asks for no set at all.
 */
export function memberTexts(sources: Interval[]): string[] | null {
  const cidrs = cidrsOf(sources);
  return cidrs[0]?.endsWith('/0') === true ? null : cidrs.map(memberText);
}

function memberText(cidr: string): string {
  const isSix = cidr.includes(':');
  const whole = isSix ? '/128' : '/32';
  const short = cidr.endsWith(whole) ? cidr.slice(0, -whole.length) : cidr;
  return isSix && short.startsWith('::') ? dotted(short) : short;
}

function dotted(text: string): string {
  const match = /^(::(?:ffff:)?)([0-9a-f]{1,4}):([0-9a-f]{1,4})(\/[0-9]+)?$/.exec(text);
  if (match === null) return text;
  const [, start = '', high = '', low = '', prefix = ''] = match;
  const bytes = [high, low].flatMap((word) => [Number.parseInt(word, 16) >> 8, Number.parseInt(word, 16) & 255]);
  return `${start}${bytes.join('.')}${prefix}`;
}
