/**
 * The newest head of every point: in memory to be served, in the mirror to be copied. A point gets a new number when its
 * state changes; a head that is only signed anew keeps it. A head is in the mirror before it is served, or the point is noted
 * as one whose head there is behind, or, where the disk takes no more, the older one is taken out of the mirror: no later
 * process takes an older head for the newest.
 */
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import {
  type DeltaOperation,
  type Digest,
  type Head,
  memberIndexOf,
  type SigningKey,
  type TrustRoot,
} from '@edgeward/policy-format';
import type { BlobShelf } from './blob-shelf.ts';
import { createDeltaHistory } from './delta-history.ts';
import type { MirrorFolder } from './mirror-folder.ts';
import type { MirrorLag } from './mirror-lag.ts';
import { blobsOf, digestsOf, type PointState } from './point-state.ts';
import {
  type Issue,
  isSignedWith,
  issuedPoint,
  type PublishedPoint,
  pointFrom,
  renewedPoint,
} from './published-point.ts';
import type { Waiters } from './waiters.ts';

/** What a point is to have, and how its members get there from what it has; null where that can't be told. */
export interface Draft {
  state: PointState;
  operations: readonly DeltaOperation[] | null;
  /** Under a new number in any case. */
  anew?: boolean;
}

export interface HeadShelf {
  get(point: string): PublishedPoint | null;
  all(): Iterable<PublishedPoint>;
  greatestRevision(): number;
  /** The answer: points that got a new state. Called `onServed` for each point that has its state, new or not. */
  publish(
    drafts: readonly Draft[],
    nextRevision: () => Promise<number>,
    onServed: (point: string) => void,
  ): Promise<number>;
  /** Heads at half their life, and those of another root or key; what could not be written is tried again. */
  renew(): Promise<void>;
  dropExcept(points: ReadonlySet<string>): void;
  onPublished(listener: (point: string) => void): () => void;
  /** Heads that are in no mirror. */
  unwritten(): number;
  /** The mirror as new as what is served, as far as the disk lets it. */
  settled(): Promise<void>;
}

export interface HeadShelfOptions {
  store: string;
  key: () => SigningKey;
  root: () => TrustRoot;
  folder: MirrorFolder;
  lag: MirrorLag;
  shelf: BlobShelf;
  waiters: Waiters;
  historySteps: number;
  /** Everything of a head that changes with every one of them. */
  issue: () => Omit<Issue, 'store' | 'key' | 'root'>;
}

/** Points at a time: others get their turn in between. */
const AT_ONCE = 32;
/** Of a change that concerns more points, the mirror is written after they were served. */
const FEW = 16;
/** And not while every point asks and tells, which takes the longer the more they are: who copies a mirror does so by the minute. */
const AFTER_MS = 2_000;
const AFTER_MS_A_POINT = 1.5;
/** Nor all at once: so many heads, some ms of writing with what they name, and then others have their turn for this long. */
const WRITTEN_AT_ONCE = 8;
const BETWEEN_MS = 15;
/** A delta is worth its way while it is no larger than what it saves. */
const LEAST_WEIGHT = 4_096;

export function createHeadShelf(options: HeadShelfOptions): HeadShelf {
  const { folder, lag, shelf, waiters } = options;
  const heads = new Map<string, PublishedPoint>();
  const unwritten = new Set<string>();
  const listeners = new Set<(point: string) => void>();
  const emptyHistory = (members: number) =>
    createDeltaHistory({ maxSteps: options.historySteps, maxWeight: Math.max(LEAST_WEIGHT, members) });

  let publications = 0;
  let isCatchingUp = false;
  /** Aborted when somebody waits for the end of it. */
  const hurry = new AbortController();
  let caughtUp: Promise<void> = Promise.resolve();
  let greatestLeft = 0;

  const behind = lag.left();
  for (const [point, bytes] of folder.heads()) {
    const left = { history: emptyHistory(0), blobs: (head: Head) => namesIn(head, folder) };
    const found = pointFrom(bytes, { point, store: options.store }, left, options.issue().random);
    greatestLeft = Math.max(greatestLeft, found?.cursor.revision ?? 0);
    if (found === null || behind.has(point)) folder.removeHead(point);
    else {
      heads.set(point, found);
      shelf.name(point, found.blobs, options.issue().nowMs);
    }
  }

  const issue = (): Issue => ({ store: options.store, key: options.key(), root: options.root(), ...options.issue() });

  /** False where an older head can't be taken away: then it stays in force, here too. */
  function write(head: PublishedPoint): boolean {
    const blobs = head.state === null || shelf.put(blobsOf(head.state));
    try {
      if (!blobs) throw new Error('a blob is not there');
      folder.writeHead(head.point, head.bytes);
      unwritten.delete(head.point);
      return true;
    } catch {
      unwritten.add(head.point);
      return folder.removeHead(head.point);
    }
  }

  /** In one go before this: a point that is noted may be served first. */
  async function noted(drafts: readonly Draft[]): Promise<boolean> {
    if (drafts.length <= FEW) return false;
    try {
      await lag.note(new Set([...unwritten, ...drafts.map(({ state }) => state.point)]));
      return true;
    } catch {
      return false;
    }
  }

  /** Whether there are more, and room for them. */
  function writeSome(): boolean {
    let isFull = false;
    for (const point of firstOf(unwritten, WRITTEN_AT_ONCE)) {
      const head = heads.get(point);
      if (head === undefined) unwritten.delete(point);
      else write(head);
      isFull ||= unwritten.has(point);
    }
    return unwritten.size > 0 && !isFull;
  }

  const pause = (ms: number): Promise<void> =>
    hurry.signal.aborted ? setImmediate() : sleep(ms, undefined, { signal: hurry.signal }).catch(() => {});

  /** What can't be written now is tried again with the next renewal. */
  async function catchUp(): Promise<void> {
    try {
      if (unwritten.size > FEW) await pause(AFTER_MS + AFTER_MS_A_POINT * unwritten.size);
      while (unwritten.size > 0 && writeSome()) await pause(BETWEEN_MS);
      if (unwritten.size === 0 && publications === 0) lag.clear();
    } finally {
      isCatchingUp = false;
    }
  }

  function catchUpSoon(): void {
    if (isCatchingUp) return;
    isCatchingUp = true;
    caughtUp = catchUp();
  }

  function put(head: PublishedPoint, isNoted: boolean, beforeServed = (): void => {}): boolean {
    if (isNoted) {
      if (head.state !== null) shelf.hold(blobsOf(head.state));
      unwritten.add(head.point);
    } else if (!write(head)) return false;
    beforeServed();
    shelf.name(head.point, head.blobs, options.issue().nowMs);
    heads.set(head.point, head);
    waiters.wake(head.point);
    for (const listener of listeners) listener(head.point);
    return true;
  }

  async function publishOne({ state, operations }: Draft, revision: number, isNoted: boolean): Promise<boolean> {
    const was = heads.get(state.point);
    const goesOn = was !== undefined && was.state !== null && operations !== null;
    const history = goesOn ? was.history : emptyHistory(state.book.count);
    const head = await issuedPoint(issue(), state, revision, history);
    return put(head, isNoted, () => {
      if (was !== undefined && operations !== null) history.add(was.cursor, operations);
    });
  }

  async function renewOne(was: PublishedPoint): Promise<boolean> {
    return put(await renewedPoint(issue(), was), false);
  }

  function isNews({ state, anew }: Draft): boolean {
    const was = heads.get(state.point);
    return anew === true || was?.cursor.stateRoot !== state.stateRoot || was.cursor.epoch !== options.root().epoch;
  }

  /** A state that is what an earlier process left: its blobs may have been lost with the machine. */
  function adopt({ state }: Draft): void {
    const was = heads.get(state.point);
    if (was === undefined || was.state !== null) return;
    const head = { ...was, state, blobs: digestsOf(state), history: emptyHistory(state.book.count) };
    const written = shelf.put(blobsOf(state));
    shelf.name(state.point, head.blobs, options.issue().nowMs);
    heads.set(state.point, head);
    if (!written) unwritten.add(state.point);
  }

  function isDue(head: PublishedPoint): boolean {
    const { version, epoch } = options.root();
    if (head.head.epoch !== epoch) return false;
    return head.renewAtMs <= options.issue().nowMs || head.head.root !== version || !isSignedWith(head, options.key());
  }

  return {
    get: (point) => heads.get(point) ?? null,
    all: () => heads.values(),
    greatestRevision: () => [...heads.values()].reduce((most, { head }) => Math.max(most, head.revision), greatestLeft),
    async publish(drafts, nextRevision, onServed) {
      const news: Draft[] = [];
      for (const draft of drafts) {
        if (isNews(draft)) news.push(draft);
        else {
          adopt(draft);
          onServed(draft.state.point);
        }
      }
      if (news.length === 0) return 0;
      const revision = await nextRevision();
      publications += 1;
      try {
        const isNoted = await noted(news);
        return await inChunks(news, async (draft) => {
          const served = await publishOne(draft, revision, isNoted);
          if (served) onServed(draft.state.point);
          return served;
        });
      } finally {
        publications -= 1;
        catchUpSoon();
      }
    },
    async renew() {
      await inChunks([...heads.values()].filter(isDue), renewOne);
      catchUpSoon();
    },
    dropExcept(points) {
      for (const point of [...heads.keys()]) {
        if (points.has(point) || !folder.removeHead(point)) continue;
        heads.delete(point);
        unwritten.delete(point);
        shelf.name(point, [], options.issue().nowMs);
        waiters.wake(point);
        for (const listener of listeners) listener(point);
      }
    },
    onPublished(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    unwritten: () => unwritten.size,
    settled() {
      hurry.abort();
      return caughtUp;
    },
  };
}

function firstOf(points: Iterable<string>, count: number): string[] {
  const some: string[] = [];
  for (const point of points) if (some.push(point) === count) break;
  return some;
}

async function inChunks<T>(items: readonly T[], work: (item: T) => Promise<boolean>): Promise<number> {
  let done = 0;
  for (const some of chunks(items)) {
    const results = await Promise.all(some.map(work));
    done += results.filter((it) => it).length;
    await setImmediate();
  }
  return done;
}

function* chunks<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let first = 0; first < items.length; first += AT_ONCE) yield items.slice(first, first + AT_ONCE);
}

/** As far as it can still be told. */
function namesIn({ approval, rules, base, members }: Head, folder: MirrorFolder): Digest[] {
  const named = [approval, rules, members, ...(base === null ? [] : [base.approval, base.rules])];
  const digests = named.map(({ digest }) => digest);
  const index = folder.verifiedBlob(members.digest);
  const pages = index === null ? [] : memberIndexOf(index).pages;
  return [...new Set([...digests, ...pages.map(({ digest }) => digest)])];
}
