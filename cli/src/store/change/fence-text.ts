/** How far a `workloads` term may reach. Its members come and go without a signature; past its fence they can't. */
import { cidrsOf, parseCidrs } from '@edgeward/policy';

const MAX_LISTED = 4;
const EVERYBODY = ['0.0.0.0/0', '::/0'];

/** `may hold anybody in 10.0.0.0/8`. Joined first: a fence of many pieces is as wide as they are together. */
export function fenceText(within: unknown): string {
  const listed = Array.isArray(within) && within.every((it) => typeof it === 'string') ? parseCidrs(within) : null;
  const cidrs = listed === null ? [] : cidrsOf(listed);
  if (cidrs.length === 0 || cidrs.some((it) => EVERYBODY.includes(it))) return 'may hold anybody at all';
  const shown = cidrs.slice(0, MAX_LISTED).join(', ');
  const left = cidrs.length - MAX_LISTED;
  return `may hold anybody in ${shown}${left > 0 ? ` and ${left} more: ${sizeText(cidrs)}` : ''}`;
}

function sizeText(cidrs: readonly string[]): string {
  let size = 0n;
  for (const cidr of cidrs) {
    const bits = cidr.includes(':') ? 128 : 32;
    size += 1n << BigInt(bits - Number(cidr.slice(cidr.indexOf('/') + 1)));
  }
  return `${size.toLocaleString('en')} addresses`;
}
