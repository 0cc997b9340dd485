import type { PointRules } from '@edgeward/policy';
import type { Fetch } from './acceptance.ts';
import { checkBase, checkVersion, readApproval } from './approval-checks.ts';
import { type Digest, digestOf } from './digest.ts';
import type { GoodSignatures } from './good-signatures.ts';
import type { Blob, Head } from './head.ts';
import { bookFromPages, type MemberBook } from './member-book.ts';
import { memberIndexOf } from './member-pages.ts';
import { at } from './nack.ts';
import type { Floor, HeldApproval, PointState } from './point-state.ts';
import { refused } from './refusal.ts';
import { rulesOf } from './rules-document.ts';
import type { TrustRoot } from './trust-root.ts';

/** What a head names, fetched and read. What is held under the same name already is neither fetched nor read again. */
interface Source {
  point: string;
  known: PointState | null;
  fetch: Pick<Fetch, 'blob'>;
}

/** Pages that are asked for at once. */
const PAGES_AT_ONCE = 16;

/** Verified, in the slice that they are of, and allowed after what was there. */
export async function approvalsOf(
  head: Head,
  task: Source & { root: TrustRoot; floor: Floor | null; nowMs: number; signatures?: GoodSignatures },
): Promise<{ own: HeldApproval; base: HeldApproval | null }> {
  const read = async (named: Blob, rules: Blob): Promise<HeldApproval> => {
    const held = heldParts(task.known).find(
      (it) => it.names.approval === named.digest && it.names.rules === rules.digest,
    );
    if (held !== undefined) return held.approval;
    const bytes = await fetchBlob(task, named, 'the approval');
    return at('approval', () => readApproval({ ...task, bytes, rulesDigest: rules.digest }));
  };
  const own = await read(head.approval, head.rules);
  await at('approval', () => checkVersion(own, task.floor, task.nowMs));
  const base = head.base === null ? null : await read(head.base.approval, head.base.rules);
  await at('approval', () => checkBase(own, base, task.floor));
  return { own, base };
}

export async function rulesOfHead(head: Head, task: Source): Promise<{ own: PointRules; base: PointRules | null }> {
  const read = async (named: Blob): Promise<PointRules> => {
    const held = heldParts(task.known).find((it) => it.names.rules === named.digest);
    if (held !== undefined) return held.rules;
    const bytes = await fetchBlob(task, named, 'the rules');
    return at('rules', () => rulesOf(bytes, task.point, task.known?.rules));
  };
  return { own: await read(head.rules), base: head.base === null ? null : await read(head.base.rules) };
}

interface HeldPart {
  names: { approval: Digest; rules: Digest };
  approval: HeldApproval;
  rules: PointRules;
}

function heldParts(known: PointState | null): HeldPart[] {
  if (known === null) return [];
  const { head, approval, rules, base } = known;
  const parts = [{ names: namesOf(head), approval, rules }];
  if (head.base !== null && base !== null) parts.push({ names: namesOf(head.base), ...base });
  return parts;
}

function namesOf({ approval, rules }: { approval: Blob; rules: Blob }): HeldPart['names'] {
  return { approval: approval.digest, rules: rules.digest };
}

export async function membersOf(head: Head, task: Source): Promise<MemberBook> {
  const book = task.known?.book ?? null;
  if (book?.index().digest === head.members.digest) return book;
  const index = await fetchBlob(task, head.members, 'the index of members');
  const { pages } = await at('members', () => memberIndexOf(index));
  const held = pagesByDigest(book);
  const taken: Uint8Array[] = [];
  for (let first = 0; first < pages.length; first += PAGES_AT_ONCE) {
    const some = pages.slice(first, first + PAGES_AT_ONCE);
    const bytes = some.map((page) => held.get(page.digest) ?? fetchBlob(task, page, 'a page of members'));
    taken.push(...(await Promise.all(bytes)));
  }
  // Whether a group is named by a rule is a matter of fences, for a delta as for a page.
  return at('members', () => bookFromPages(index, taken, () => true));
}

function pagesByDigest(book: MemberBook | null): Map<Digest, Buffer> {
  const held = new Map<Digest, Buffer>();
  for (let number = 0; number < (book?.pageCount ?? 0); number += 1) {
    const page = book?.page(number);
    if (page !== undefined) held.set(page.digest, page.bytes);
  }
  return held;
}

/** Throws `Nacked` of the stage `fetch`: EDW_ERR_BLOB_MISSING, EDW_ERR_FORMAT_DIGEST, and whatever the transport says. */
async function fetchBlob({ fetch }: Source, { digest, bytes }: Blob, what: string): Promise<Uint8Array> {
  return at('fetch', async () => {
    const found = await fetch.blob(digest, bytes);
    if (found === null) throw refused('EDW_ERR_BLOB_MISSING', `${what} (${digest}) is not to be had`);
    if (found.length !== bytes || digestOf(found) !== digest)
      throw refused('EDW_ERR_FORMAT_DIGEST', `${what} has ${found.length} bytes that are not those of ${digest}`);
    return found;
  });
}
