import { parseAddress } from '@edgeward/policy';
import type { Family } from './host-layout.ts';
import { memberTexts } from './members.ts';

/** Whether a wider member of a set lets in what this one does, for the same port. Pure. */
export function isCovered(member: string, family: Family, wanted: ReadonlySet<string>): boolean {
  const [cidr = '', service] = member.split(',');
  const [address = '', length] = cidr.split('/');
  const bits = family === 'inet' ? 32 : 128;
  const key = parseAddress(address);
  if (key === null || key.length !== bits / 4) return false;
  const number = BigInt(`0x${key}`);
  for (let prefix = Number(length ?? bits) - 1; prefix > 0; prefix -= 1) {
    const host = (1n << BigInt(bits - prefix)) - 1n;
    const wider = { lo: hex(number & ~host, bits), hi: hex(number | host, bits) };
    const [text] = memberTexts([wider]) ?? [];
    if (text !== undefined && wanted.has(service === undefined ? text : `${text},${service}`)) return true;
  }
  return false;
}

function hex(number: bigint, bits: number): string {
  return number.toString(16).padStart(bits / 4, '0');
}
