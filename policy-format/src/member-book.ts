import { compareText } from '@edgeward/policy';
import type { DeltaOperation } from './delta.ts';
import { type Digest, digestOf } from './digest.ts';
import type { Blob } from './head.ts';
import { groupsOf, join, type MemberLists, type Shards, shardOf, shardsOf, sortedLists } from './member-lists.ts';
import {
  checkPage,
  formatIndex,
  formatPage,
  isPlainAddress,
  linesOf,
  type MemberIndex,
  memberIndexOf,
  type PageLines,
  pageCountOf,
  pageOf,
  verifiedLines,
} from './member-pages.ts';
import { isGroupId } from './name.ts';
import { refused } from './refusal.ts';

/**
 * Who is in which group of one point, as pages and as lists. A book never changes: a change gives another one, which
 * shares with it whatever it did not touch, so that one member more or less costs a page and not a million members.
 * Equal members give equal bytes, whichever way they came about. Fences are not its business.
 */
export interface MemberBook {
  /** Memberships: pairs of a group and an address. */
  readonly count: number;
  /** Bytes and name of the index; what a head carries is `{ digest, bytes: bytes.length }`. */
  index(): Page;
  readonly pageCount: number;
  /** From 0. */
  page(number: number): Page;
  /** Sorted as ASCII text; empty for a group that nobody is in. */
  members(group: string): readonly string[];
  /** Groups that somebody is in, in no order. */
  groups(): Iterable<string>;
  /**
   * Operations in the order of their groups, each once. Throws EDW_ERR_FORMAT_DELTA where one to add is there already, one
   * to remove is not, or something is not in its plain form or its place.
   */
  change(operations: readonly DeltaOperation[]): MemberBook;
}

interface Page {
  bytes: Buffer;
  digest: Digest;
}

interface Contents {
  count: number;
  pages: readonly Page[];
  /** Null: the pages say it, and are read when somebody asks. */
  shards: Shards | null;
}

interface ListedContents extends Contents {
  shards: Shards;
}

/**
 * Members in any order, each address in plain form and once. Throws EDW_ERR_FORMAT_DELTA for anything else. It holds pages and
 * no lists, and so do those that its changes give: a store has a book for each of thousands of points, and asks few of them.
 */
export function createMemberBook(
  members: Iterable<readonly [group: string, addresses: readonly string[]]>,
): MemberBook {
  const operations: DeltaOperation[] = [];
  for (const [group, addresses] of members)
    if (addresses.length > 0)
      operations.push({ op: 'members', group, add: [...addresses].sort(compareText), remove: [] });
  const sorted = operations.sort((a, b) => compareText(a.group, b.group));
  checkAll(sorted);
  return bookOf(withoutLists(changed(EMPTY, sorted)));
}

/**
 * A book as it came: the index, and a page for each that it names. `knows` says whether a group has members at all here.
 * Throws EDW_ERR_FORMAT_INDEX, _DIGEST, _PAGE.
 */
export function bookFromPages(
  indexBytes: Uint8Array,
  pages: readonly Uint8Array[],
  knows: (group: string) => boolean,
): MemberBook {
  const index = memberIndexOf(indexBytes);
  if (pages.length !== index.pages.length)
    throw refused('EDW_ERR_FORMAT_INDEX', `there are ${pages.length} pages of members, not ${index.pages.length}`);
  const taken: Page[] = [];
  const lists = new Map<string, string[]>();
  let count = 0;
  index.pages.forEach((expected, number) => {
    const bytes = checkPage(pages[number] as Uint8Array, number, expected);
    for (const [group, addresses] of verifiedLines(bytes, number, index.pages.length)) {
      if (!knows(group)) throw refused('EDW_ERR_FORMAT_PAGE', `page ${number} of the members: no rule names ${group}`);
      count += addresses.length;
      join(lists, group, addresses);
    }
    taken.push({ bytes, digest: expected.digest });
  });
  if (count !== index.members)
    throw refused('EDW_ERR_FORMAT_INDEX', `the pages hold ${count} members, not ${index.members}`);
  return bookOf({ count, pages: taken, shards: shardsOf(sortedLists(lists)) });
}

function bookOf(contents: Contents): MemberBook {
  let index: Page | null = null;
  let read: WeakRef<MemberLists> | null = null;

  /** Whoever asks for one group asks for the others too, at once. */
  function fromPages(): MemberLists {
    const known = read?.deref();
    if (known !== undefined) return known;
    const lists = listsIn(contents.pages);
    read = new WeakRef(lists);
    return lists;
  }

  return {
    count: contents.count,
    pageCount: contents.pages.length,
    index: () => {
      index ??= pageFrom(formatIndex(indexOf(contents)));
      return index;
    },
    page: (number) => {
      const page = contents.pages[number];
      if (page === undefined) throw new RangeError(`there is no page ${number} of ${contents.pages.length}`);
      return page;
    },
    members: (group) => (contents.shards === null ? fromPages() : contents.shards[shardOf(group)])?.get(group) ?? [],
    groups: () => (contents.shards === null ? fromPages().keys() : groupsOf(contents.shards)),
    change: (operations) => (operations.length === 0 ? bookOf(contents) : bookOf(changedIn(contents, operations))),
  };
}

function listsIn(pages: readonly Page[]): MemberLists {
  const lists = new Map<string, string[]>();
  for (const { bytes } of pages) for (const [group, addresses] of linesOf(bytes)) join(lists, group, addresses);
  return sortedLists(lists);
}

function indexOf({ count, pages }: Contents): MemberIndex {
  return { members: count, pages: pages.map((page): Blob => ({ digest: page.digest, bytes: page.bytes.length })) };
}

function pageFrom(bytes: Buffer): Page {
  return { bytes, digest: digestOf(bytes) };
}

function changedIn(before: Contents, operations: readonly DeltaOperation[]): Contents {
  checkAll(operations);
  if (before.shards !== null) return changed({ ...before, shards: before.shards }, operations);
  const count = operations.reduce((sum, { add, remove }) => sum + add.length - remove.length, before.count);
  // A membership has its place on one page, which tells as well as a list whether it was there.
  if (before.pages.length > 0 && pageCountOf(count) === before.pages.length)
    return { count, pages: editedPages(before.pages, operations), shards: null };
  return withoutLists(changed({ ...before, shards: shardsOf(listsIn(before.pages)) }, operations));
}

function withoutLists({ count, pages }: Contents): Contents {
  return { count, pages, shards: null };
}

function checkAll(operations: readonly DeltaOperation[]): void {
  let last = '';
  for (const operation of operations) {
    if (operation.group <= last) throw refusedChange(operation, 'it is not in its place');
    last = operation.group;
    checkForms(operation);
  }
}

function changed(before: ListedContents, operations: readonly DeltaOperation[]): Contents {
  const shards = [...before.shards];
  const copied = new Set<number>();
  let count = before.count;
  for (const operation of operations) {
    const number = shardOf(operation.group);
    if (!copied.has(number)) shards[number] = new Map(shards[number]);
    copied.add(number);
    const shard = shards[number] as Map<string, readonly string[]>;
    const list = joined(shard.get(operation.group) ?? [], operation);
    if (list.length === 0) shard.delete(operation.group);
    else shard.set(operation.group, list);
    count += operation.add.length - operation.remove.length;
  }
  const pageCount = pageCountOf(count);
  const pages =
    pageCount === before.pages.length ? editedPages(before.pages, operations) : pagesOfAll(shards, pageCount);
  return { count, pages, shards };
}

function refusedChange({ group }: DeltaOperation, what: string): Error {
  return refused('EDW_ERR_FORMAT_DELTA', `a change of the members of ${group}: ${what}`);
}

function checkForms(operation: DeltaOperation): void {
  if (!isGroupId(operation.group)) throw refusedChange(operation, 'it is no group');
  for (const list of [operation.add, operation.remove]) {
    let before = '';
    for (const address of list) {
      if (!isPlainAddress(address)) throw refusedChange(operation, 'an address is not in plain form');
      if (address <= before) throw refusedChange(operation, `${address} is not in its place`);
      before = address;
    }
  }
}

/** Beyond this many, walking over the whole list costs less than moving its tail for each. */
const MANY = 64;

function joined(list: readonly string[], operation: DeltaOperation): string[] {
  const { add, remove } = operation;
  if (add.length + remove.length > MANY) return merged(list, operation);
  const out = list.slice();
  for (const address of remove) {
    const at = placeOf(out, address);
    if (out[at] !== address) throw refusedChange(operation, `${address} is no member`);
    out.splice(at, 1);
  }
  for (const address of add) {
    // Looked up in what was before: what is removed here can't be added here too.
    if (list[placeOf(list, address)] === address) throw refusedChange(operation, `${address} is a member already`);
    out.splice(placeOf(out, address), 0, address);
  }
  return out;
}

function merged(list: readonly string[], operation: DeltaOperation): string[] {
  const { add, remove } = operation;
  const out: string[] = [];
  let a = 0;
  let r = 0;
  for (const address of list) {
    for (; a < add.length && (add[a] as string) < address; a += 1) out.push(add[a] as string);
    if (add[a] === address) throw refusedChange(operation, `${address} is a member already`);
    if (remove[r] === address) r += 1;
    else out.push(address);
  }
  if (r < remove.length) throw refusedChange(operation, `${remove[r]} is no member`);
  return out.concat(add.slice(a));
}

/** Where the address stands in a sorted list, or would. */
function placeOf(list: readonly string[], address: string): number {
  let from = 0;
  let to = list.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((list[middle] as string) < address) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** Only the pages that a changed membership stands on are read and written. */
function editedPages(before: readonly Page[], operations: readonly DeltaOperation[]): Page[] {
  const edits = new Map<number, Map<string, DeltaOperation>>();
  const editOf = (group: string, address: string): DeltaOperation => {
    const number = pageOf(group, address, before.length);
    const ofPage = edits.get(number) ?? new Map<string, DeltaOperation>();
    edits.set(number, ofPage);
    const edit: DeltaOperation = ofPage.get(group) ?? { op: 'members', group, add: [], remove: [] };
    ofPage.set(group, edit);
    return edit;
  };
  for (const { group, add, remove } of operations) {
    for (const address of add) editOf(group, address).add.push(address);
    for (const address of remove) editOf(group, address).remove.push(address);
  }
  const pages = [...before];
  for (const [number, ofPage] of edits) pages[number] = editedPage(pages[number] as Page, ofPage);
  return pages;
}

function editedPage(page: Page, edits: ReadonlyMap<string, DeltaOperation>): Page {
  const lines = new Map(linesOf(page.bytes));
  for (const [group, edit] of edits) {
    const list = joined(lines.get(group) ?? [], edit);
    if (list.length === 0) lines.delete(group);
    else lines.set(group, list);
  }
  return pageFrom(formatPage(sortedLines(lines)));
}

/** Where the number of pages changes, every membership finds its page anew. */
function pagesOfAll(shards: Shards, pageCount: number): Page[] {
  const pages = Array.from({ length: pageCount }, () => new Map<string, string[]>());
  for (const shard of shards)
    for (const [group, addresses] of shard ?? [])
      for (const address of addresses) {
        const lines = pages[pageOf(group, address, pageCount)] as Map<string, string[]>;
        const line = lines.get(group);
        if (line === undefined) lines.set(group, [address]);
        else line.push(address);
      }
  return pages.map((lines) => pageFrom(formatPage(sortedLines(lines))));
}

function sortedLines(lines: ReadonlyMap<string, string[]>): PageLines {
  return [...lines].sort(([a], [b]) => compareText(a, b));
}

const EMPTY: ListedContents = { count: 0, pages: [], shards: shardsOf(new Map()) };
