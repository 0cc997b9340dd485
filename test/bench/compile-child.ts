/**
 * One way to compile one estate, in a process of its own, so that its memory is its own: `store` or `whole`, and how many
 * workloads, as arguments. What it found is one line of JSON on stdout.
 */
import { createHash } from 'node:crypto';
import { createMembership, type GroupChange, type Membership, type WorkloadEdit } from '@edgeward/central-store';
import {
  type CompileMemo,
  compilePoint,
  type Document,
  linkModel,
  type Model,
  type PointRules,
  pointsOf,
  type Resolution,
  resolve,
  resolveSlice,
  type SliceResolution,
  slicePolicy,
  type Workload,
  workloadGroupsOf,
} from '@edgeward/policy';
import { bookFromPages, createMemberBook, digestOf, type MemberBook, rulesBytes } from '@edgeward/policy-format';
import type { Found, Step } from './compile.ts';
import { type Estate, estateOf } from './compile-estate.ts';

const batch = 10_000;
const edits = { store: 1_000, whole: 10 };
const lastHops = 50;
const digest = (text: string): string => createHash('sha256').update(text).digest('hex');

const steps: Step[] = [];

function timed<T>(what: string, run: () => T): T {
  const from = performance.now();
  const out = run();
  steps.push({ what, tookMs: performance.now() - from });
  return out;
}

const readAll = (values: unknown[]): Model =>
  linkModel(
    values.map((value) => ({ file: 'estate', value, locate: () => ({ line: 1, column: 1 }) })),
    [],
  );

const editOf = (value: unknown): WorkloadEdit => {
  const [read] = readAll([value]).workloads;
  const { name, labels, addresses } = (read as { value: Workload }).value;
  return { name, is: { labels, addresses } };
};

/** Line by line: no more of an inventory is in memory than one batch. */
function feed(estate: Estate, membership: Membership): void {
  for (let from = 0; from < estate.workloads; from += batch) {
    const to = Math.min(estate.workloads, from + batch);
    membership.change(Array.from({ length: to - from }, (_, i) => editOf(JSON.parse(estate.line(from + i)))));
  }
}

const bookOf = (slice: PointRules, membership: Membership): MemberBook =>
  createMemberBook(
    slice.groups.flatMap((it) => (it.kind === 'workloads' ? [[it.id, membership.members(it.id)] as const] : [])),
  );

/** Index and pages, as a head names them. */
const pagesOf = (book: MemberBook): number =>
  Array.from({ length: book.pageCount }, (_, n) => book.page(n).digest.length).length + book.index().bytes.length;

function pointsByGroup(slices: PointRules[]): Map<string, string[]> {
  const out = new Map<string, string[]>();
  for (const { point, groups } of slices)
    for (const { id, kind } of groups) if (kind === 'workloads') out.set(id, [...(out.get(id) ?? []), point]);
  return out;
}

interface Store {
  slices: PointRules[];
  membership: Membership;
  books: Map<string, MemberBook>;
}

function compileStore(estate: Estate): Store {
  const model = timed('policies read', () => readAll(estate.policies()));
  const slices = timed('rules documents of all points, with their digests', () => {
    const all = slicePolicy(model, digest);
    for (const slice of all) digestOf(rulesBytes(slice));
    return all;
  });
  const membership = createMembership();
  timed('inventory read and taken in, line by line', () => feed(estate, membership));
  timed('groups evaluated', () => membership.setGroups(workloadGroupsOf(slices)));
  const books = timed('member pages of all points', () => {
    const all = new Map(slices.map((slice) => [slice.point, bookOf(slice, membership)]));
    for (const book of all.values()) pagesOf(book);
    return all;
  });
  return { slices, membership, books };
}

/** By group → by point, as a delta carries it. */
function changePoints(
  changes: ReadonlyMap<string, GroupChange>,
  concerned: Map<string, string[]>,
  store: Store,
): string[] {
  const byPoint = new Map<string, { op: 'members'; group: string; add: string[]; remove: string[] }[]>();
  for (const group of [...changes.keys()].sort()) {
    for (const point of concerned.get(group) ?? []) {
      const operations = byPoint.get(point) ?? [];
      operations.push({ op: 'members', group, ...(changes.get(group) as GroupChange) });
      byPoint.set(point, operations);
    }
  }
  for (const [point, operations] of byPoint) {
    const book = (store.books.get(point) as MemberBook).change(operations);
    pagesOf(book);
    store.books.set(point, book);
  }
  return [...byPoint.keys()];
}

function measureStore(estate: Estate): Found {
  const from = performance.now();
  const store = compileStore(estate);
  const fullMs = performance.now() - from;
  const concerned = pointsByGroup(store.slices);
  const editsMs: number[] = [];
  let points = 0;
  for (let n = 0; n < edits.store; n += 1) {
    const value = JSON.parse(estate.line((n * 7919) % estate.workloads, 1 + Math.floor(n / 500)));
    const start = performance.now();
    const changed = store.membership.change([editOf(value)]);
    if (changed.state === 'changed') points += changePoints(changed.groups, concerned, store).length;
    editsMs.push(performance.now() - start);
  }
  const { profiles, groups } = store.membership.counts();
  const memberships = [...store.membership.groups()].reduce((sum, id) => sum + store.membership.memberCount(id), 0);
  const heldBytes = heldNow();
  return {
    steps,
    fullMs,
    editsMs,
    pointsPerEdit: points / edits.store,
    hopsMs: measureHops(estate, store),
    counts: { points: store.slices.length, groups, memberships, profiles },
    heldBytes,
    peakBytes: process.resourceUsage().maxRSS * 1024,
  };
}

/** A last hop has read every page, and keeps lists of what stood there. */
function asTaken(book: MemberBook): MemberBook {
  const pages = Array.from({ length: book.pageCount }, (_, number) => book.page(number).bytes);
  return bookFromPages(book.index().bytes, pages, () => true);
}

/** At the point that has the group of everything in production: what arrived, compiled anew after each change. */
function measureHops(estate: Estate, store: Store): number[] {
  const slice = store.slices.find(({ point }) => point === 'edge-0') as PointRules;
  const concerned = new Map([...pointsByGroup([slice])]);
  const memo: CompileMemo = { objects: Object.create(null) };
  let before: SliceResolution | undefined;
  const took: number[] = [];
  store.books.set('edge-0', asTaken(store.books.get('edge-0') as MemberBook));
  for (let n = 0; n < lastHops; n += 1) {
    const value = JSON.parse(estate.line((n * estate.apps * 3 + n) % estate.workloads, 3 + 3 * (n % 2)));
    const changed = store.membership.change([editOf(value)]);
    if (changed.state !== 'changed' || changePoints(changed.groups, concerned, store).length === 0) continue;
    const book = store.books.get('edge-0') as MemberBook;
    const start = performance.now();
    const isFirst = before === undefined;
    before = resolveSlice([slice], book.members, 0, before);
    compilePoint(before, 'edge-0', { revision: n, digest, memo });
    if (!isFirst) took.push(performance.now() - start);
  }
  return took;
}

/** As a service without a store does it: everything is one model, and every point is compiled. */
function measureWhole(estate: Estate): Found {
  const memo: CompileMemo = { objects: Object.create(null) };
  const known = new WeakMap<object, Document>();
  const documents = {
    get: (value: object) => known.get(value),
    set: (value: object, document: Document) => void known.set(value, document),
  };
  const link = (values: unknown[]): Model =>
    linkModel(
      values.map((value) => ({ file: 'estate', value, locate: () => ({ line: 1, column: 1 }) })),
      [],
      documents,
    );
  const compileAll = (resolution: Resolution): void => {
    for (const point of pointsOf(resolution)) compilePoint(resolution, point, { revision: 0, digest, memo });
  };
  const from = performance.now();
  const values: unknown[] = timed('everything read', () => [
    ...estate.policies(),
    ...Array.from({ length: estate.workloads }, (_, i) => JSON.parse(estate.line(i))),
  ]);
  const model = timed('linked', () => link(values));
  let resolution = timed('resolved', () => resolve(model, 0));
  timed('all points compiled', () => compileAll(resolution));
  const fullMs = performance.now() - from;
  const first = estate.apps * 2;
  const editsMs: number[] = [];
  for (let n = 0; n < edits.whole; n += 1) {
    const at = (n * 7919) % estate.workloads;
    const value = JSON.parse(estate.line(at, 1));
    const start = performance.now();
    values[first + at] = value;
    resolution = resolve(link(values), 0, resolution);
    compileAll(resolution);
    editsMs.push(performance.now() - start);
  }
  const heldBytes = heldNow();
  const counts = { points: estate.apps, groups: Object.keys(resolution.groups).length, memberships: 0, profiles: 0 };
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  return { steps, fullMs, editsMs, pointsPerEdit: estate.apps, hopsMs: [], counts, heldBytes, peakBytes };
}

/** After a collection, where the process was started with one to call; the program itself is some 30 MiB of it. */
function heldNow(): number {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const [way, workloads] = process.argv.slice(2);
const estate = estateOf(Number(workloads));
process.stdout.write(`${JSON.stringify(way === 'store' ? measureStore(estate) : measureWhole(estate))}\n`);
