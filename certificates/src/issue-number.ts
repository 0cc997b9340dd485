import type { X509Certificate } from 'node:crypto';

/**
 * Which of two certificates for the same holder is the later one. The order stands in the serial number, not in a time:
 * clocks are set back. Only its own authority can say what a number means, so it is read from verified certificates alone.
 *
 * A serial number is 16 bytes (RFC 5280 allows 20): a mark, the number in 6, and 9 at random.
 */
const MARKED = 0x45;
const UNMARKED = 0x41;
const NUMBER_BYTES = 6;

/** 1 to 2^48 - 1: milliseconds since 1970 fit until the year 10889. */
export function isIssueNumber(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value < 2 ** (8 * NUMBER_BYTES);
}

/** In hex, of 16 bytes; `random` is 9 of them. Without a number none is read from it. */
export function serialNumberOf(issueNumber: number | null, random: Uint8Array): string {
  const number = Buffer.alloc(NUMBER_BYTES);
  number.writeUIntBE(issueNumber ?? 0, 0, NUMBER_BYTES);
  return Buffer.concat([Buffer.of(issueNumber === null ? UNMARKED : MARKED), number, random]).toString('hex');
}

/** Null for a certificate without one. */
export function issueNumberOf(certificate: Pick<X509Certificate, 'serialNumber'>): number | null {
  const bytes = Buffer.from(certificate.serialNumber, 'hex');
  if (bytes.length !== 16 || bytes[0] !== MARKED) return null;
  const number = bytes.readUIntBE(1, NUMBER_BYTES);
  return isIssueNumber(number) ? number : null;
}
