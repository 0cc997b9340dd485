import { hash } from 'node:crypto';
import { formatAddress, parseAddress } from '@edgeward/policy';
import * as z from 'zod';
import { parseCanonical } from './canonical-json.ts';
import { digestOf } from './digest.ts';
import { readAs } from './fields.ts';
import { type Blob, blobSchema } from './head.ts';
import { LIMITS } from './limits.ts';
import { isGroupId } from './name.ts';
import { refused } from './refusal.ts';

/**
 * The bytes of member pages and of their index, written and read. Which page a membership stands on follows from its
 * hash and from how many there are, so that two sides with the same members have the same bytes. Reading accepts those
 * bytes only. What a page is a part of, and what changes it, is the book's.
 */
export interface MemberIndex {
  members: number;
  pages: Blob[];
}

/** Sorted by id; addresses sorted as ASCII text, at least one. */
export type PageLines = [group: string, addresses: string[]][];

const INDEX_TYPE = 'edgeward-members/1';
/** A line with one member: the group, a tab, an address in at most 39 characters, the end of the line. */
const MAX_MEMBERSHIP_BYTES = 18 + 1 + 39 + 1;

/** A single address as every document here writes it: dotted IPv4, or IPv6 as in RFC 5952. */
export function isPlainAddress(text: string): boolean {
  const key = parseAddress(text);
  return key !== null && formatAddress(key) === text;
}

/** The smallest power of two that leaves at most `LIMITS.membersPerPage` a page on average; none for nobody. */
export function pageCountOf(members: number): number {
  if (members === 0) return 0;
  let count = 1;
  while (count * LIMITS.membersPerPage < members) count *= 2;
  return count;
}

/** `pages` is a power of two, at most 2^16. */
export function pageOf(group: string, address: string, pages: number): number {
  const first = hash('sha256', `${group}\t${address}`, 'buffer').readUInt32BE(0);
  return pages === 1 ? 0 : first >>> (Math.clz32(pages) + 1);
}

export function formatPage(lines: PageLines): Buffer {
  let text = '';
  for (const [group, addresses] of lines) text += `${group}\t${addresses.join('\t')}\n`;
  return Buffer.from(text, 'latin1');
}

/** Lines of a page that this process wrote or has verified. */
export function linesOf(bytes: Buffer): PageLines {
  if (bytes.length === 0) return [];
  const lines = bytes.toString('latin1', 0, bytes.length - 1).split('\n');
  return lines.map((line) => {
    const [group = '', ...addresses] = line.split('\t');
    return [group, addresses];
  });
}

/** Lines of a page that came from elsewhere. Throws EDW_ERR_FORMAT_PAGE. */
export function verifiedLines(bytes: Buffer, page: number, pages: number): PageLines {
  const refuse = (what: string): Error => refused('EDW_ERR_FORMAT_PAGE', `page ${page} of the members: ${what}`);
  if (bytes.length > 0 && bytes[bytes.length - 1] !== 0x0a) throw refuse('it ends within a line');
  const lines = linesOf(bytes);
  let before = '';
  for (const [group, addresses] of lines) {
    if (!isGroupId(group)) throw refuse('a line begins with no group');
    if (group <= before) throw refuse(`${group} is not in its place`);
    if (addresses.length === 0) throw refuse(`${group} stands there without a member`);
    before = group;
    const fault = faultIn(group, addresses, page, pages);
    if (fault !== null) throw refuse(fault);
  }
  return lines;
}

function faultIn(group: string, addresses: readonly string[], page: number, pages: number): string | null {
  let before = '';
  for (const address of addresses) {
    if (!isPlainAddress(address)) return `a member of ${group} is no address in plain form`;
    if (address <= before) return `${address} of ${group} is not in its place`;
    if (pageOf(group, address, pages) !== page) return `${address} of ${group} belongs on another page`;
    before = address;
  }
  return null;
}

/** The canonical form, written by hand: it is made anew with every change, and names thousands of pages. */
export function formatIndex({ members, pages }: MemberIndex): Buffer {
  const listed = pages.map((page) => `{"bytes":${page.bytes},"digest":"${page.digest}"}`).join(',');
  return Buffer.from(`{"members":${members},"pages":[${listed}],"typ":"${INDEX_TYPE}"}`, 'latin1');
}

export const memberIndexSchema: z.ZodType<MemberIndex & { typ: typeof INDEX_TYPE }> = z.strictObject({
  typ: z.literal(INDEX_TYPE),
  members: z.int().min(0).max(LIMITS.members),
  pages: z.array(blobSchema(LIMITS.pageBytes)),
});

/** Throws EDW_ERR_FORMAT_INDEX, and what `parseCanonical` throws. */
export function memberIndexOf(bytes: Uint8Array): MemberIndex {
  const value = parseCanonical(bytes, 'the index of members', LIMITS.indexBytes);
  const { members, pages } = readAs(memberIndexSchema, value, 'EDW_ERR_FORMAT_INDEX', 'the index of members');
  const refuse = (what: string): Error => refused('EDW_ERR_FORMAT_INDEX', `the index of members: ${what}`);
  if (pages.length !== pageCountOf(members))
    throw refuse(`for ${members} members there are ${pageCountOf(members)} pages, not ${pages.length}`);
  // Otherwise a small index could make whoever follows it fetch and keep as much as it likes.
  const bytesInAll = pages.reduce((sum, page) => sum + page.bytes, 0);
  if (bytesInAll > members * MAX_MEMBERSHIP_BYTES) throw refuse('its pages hold more than its members could');
  return { members, pages };
}

/** The bytes that the index names, or a refusal. */
export function checkPage(bytes: Uint8Array, page: number, expected: Blob): Buffer {
  if (bytes.length !== expected.bytes || digestOf(bytes) !== expected.digest)
    throw refused('EDW_ERR_FORMAT_DIGEST', `page ${page} of the members is not what the index names`);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
