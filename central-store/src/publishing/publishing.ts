/**
 * What every point is to have, signed and served: approved versions and the inventory in, heads out. A point gets a new
 * head when its state changes and at no other time; the number of a head is on disk as taken before the head is made; a
 * head is in the mirror, or noted as one that is not, before anybody is served it. Nothing here decides which version is
 * in force where, and nothing here depends on the time but how long a head lives.
 */
import {
  type Checkpoint,
  type Cursor,
  canonicalJson,
  type Digest,
  type SignedDocument,
  type SigningKey,
  type TrustRoot,
} from '@edgeward/policy-format';
import { type Clock, createWorkQueue, EdgewardError, type Logger, messageOf, repeatedly } from '@edgeward/runtime';
import type { Membership, WorkloadEdit } from '../membership/index.ts';
import { createAssignment, type PointVersion } from './assignment.ts';
import { createBlobShelf } from './blob-shelf.ts';
import { createDelivery } from './delivery.ts';
import { createFoundRevisions } from './found-revisions.ts';
import { createHeadShelf } from './head-shelf.ts';
import { type Changes, createInventoryDesk, heldOther, type InventoryStatus } from './inventory-desk.ts';
import type { Excess } from './judgement.ts';
import { createKeptMembers } from './kept-members.ts';
import { openMirrorFolder } from './mirror-folder.ts';
import { openMirrorLag } from './mirror-lag.ts';
import { newsSince, type PointNews } from './point-news.ts';
import type { PublishedPoint } from './published-point.ts';
import { openRevisions } from './revisions.ts';
import { createStart } from './start.ts';
import { createWaiters } from './waiters.ts';

export interface PublishingOptions {
  store: string;
  membership: Membership;
  /** The state folder; `revision`, `mirror-lag` and `mirror/` in it are written here. */
  dir: string;
  clock: Clock;
  logger: Logger;
  /** Of the record, when a head is signed. */
  checkpoint(): Checkpoint;
  /** How long a head lives: 24 h. */
  headMs?: number;
  /** Revisions of a point from which a delta leads to the newest: 64. */
  historySteps?: number;
  /** How long a blob stays that no head names any more: 10 min. */
  keepBlobsMs?: number;
  random?: () => number;
  /** Told after each piece of work. */
  onCompiled?: (compiled: { seconds: number; points: number; published: number }) => void;
}

export interface Trust {
  root: TrustRoot;
  document: SignedDocument;
  /** One that this root lists. */
  storeKey: SigningKey;
}

export interface Publishing {
  /** The newest trust root, and every one before it that points may ask for. Before anything else. */
  setTrust(trust: Trust, older: readonly { version: number; document: SignedDocument }[]): Promise<void>;
  /**
   * These points and no others. A point that may not have its version yet keeps what it has, and is in the status. Throws
   * EDW_ERR_STORE_SLICES.
   */
  setVersions(points: ReadonlyMap<string, PointVersion>): Promise<void>;
  /** The first batch is the whole inventory: before it, what an earlier process left is served as it is. */
  submitInventory(edits: readonly WorkloadEdit[]): Promise<InventoryStatus>;
  /** Lets through what is held. Throws EDW_ERR_NOTHING_HELD, EDW_ERR_HELD_OTHER. */
  accept(revision: number): Promise<void>;
  /** Whether `accept` would. Throws the same. */
  requireHeld(revision: number): void;
  /**
   * A point is said to hold a revision that it was not given here, from before this store. Where that is newer, the point
   * gets its state anew under a number above it; where it is much newer, with the next epoch.
   */
  foundRevision(point: string, revision: number): Promise<void>;
  points(): Iterable<PublishedPoint>;
  point(name: string): PublishedPoint | null;
  /** What leads from `from` to the newest, now. */
  news(point: string, from: Cursor): PointNews;
  /** Settles at news of the point, after `waitMs`, or with `signal`. */
  wait(points: readonly string[], waitMs: number, signal: AbortSignal): Promise<void>;
  /** Only what these points' own heads name, or named a short while ago. */
  blob(digest: Digest, points: Iterable<string>): Promise<Buffer | null>;
  /** Canonical JSON of the signed document. */
  root(version: number | 'newest'): Buffer | null;
  /** Called when a point is served something new, or nothing any more. The answer stops it. */
  onPublished(listener: (point: string) => void): () => void;
  status(): PublishingStatus;
  /** What is in force of the inventory. */
  readonly workloads: Pick<Membership, 'workload' | 'names'>;
  close(): Promise<void>;
}

export interface PublishingStatus {
  revision: number;
  /** Long polls. */
  waiting: number;
  inventory: InventoryStatus;
  /** Why points keep an older version: a group has too many members for the newer one. */
  refused: Excess[];
  /** Points whose newest head is in no mirror, because it could not be written. */
  unwritten: number;
  /** Points that are not at what they should be, whatever keeps them from it. */
  behind: number;
  /** Those of them that could not be given it; tried again every few seconds. */
  undelivered: number;
}

const RENEW_EVERY_MS = 60_000;
const RETRY_MS = 5_000;
const SWEEP_EVERY = 5;

/** Throws EDW_ERR_STATE_WRITE, EDW_ERR_STORE_REVISION. */
export async function createPublishing(options: PublishingOptions): Promise<Publishing> {
  const { clock, logger, membership, store } = options;
  const folder = openMirrorFolder(`${options.dir}/mirror`);
  const shelf = createBlobShelf(folder, { keepMs: options.keepBlobsMs ?? 600_000 });
  const waiters = createWaiters(clock);
  const roots = new Map<number, Buffer>();
  const found = createFoundRevisions();
  let trust: Trust | null = null;
  const trusted = (): Trust => {
    if (trust === null) throw new RangeError('publishing without a trust root');
    return trust;
  };
  const heads = createHeadShelf({
    ...{ store, folder, lag: openMirrorLag(options.dir), shelf, waiters, historySteps: options.historySteps ?? 64 },
    key: () => trusted().storeKey,
    root: () => trusted().root,
    issue: () => ({
      log: options.checkpoint(),
      nowMs: clock.now(),
      headMs: options.headMs ?? 86_400_000,
      random: options.random ?? Math.random,
    }),
  });
  const revisions = await openRevisions(options.dir, heads.greatestRevision());
  const assignment = createAssignment(membership);
  let lastName = 0;
  const nextName = (): number => {
    lastName = Math.max(lastName, revisions.last()) + 1;
    return lastName;
  };
  const desk = createInventoryDesk({ membership, concerned, nextName });
  const kept = createKeptMembers(desk.isRefused);
  const start = createStart({ folder, heads, assignment, membership, desk, kept, clock, logger, nextName });
  const delivery = createDelivery({
    assignment,
    heads,
    kept,
    start,
    revisions,
    logger,
    onCompiled: options.onCompiled,
  });
  /** Each piece of work sees what the one before it left. */
  const queue = createWorkQueue();

  function* concerned(groups: Iterable<string>): ReturnType<Parameters<typeof createInventoryDesk>[0]['concerned']> {
    for (const point of assignment.naming(groups)) {
      const slices = assignment.get(point);
      if (slices !== undefined) yield [point, slices];
    }
  }

  /** Other versions have other limits. */
  async function reconsider(): Promise<void> {
    if (desk.waiting().length > 0) await giveOut(desk.reconsider(clock.now()));
  }

  const giveOut = (changes: Changes): Promise<void> =>
    delivery.orBehind(assignment.naming(changes.keys()), async () => {
      const moved = await delivery.changes(changes);
      if (moved.length > 0) await reconsider();
    });

  async function begin(): Promise<void> {
    if (start.state() !== 'ready') return;
    await start.begin();
    delivery.move();
    await delivery.orBehind(assignment.points(), () => delivery.whole(assignment.points()));
    heads.dropExcept(assignment.points());
  }

  async function submit(edits: readonly WorkloadEdit[]): Promise<InventoryStatus> {
    if (start.state() === 'begun') await giveOut(desk.submit(edits, clock.now()));
    else {
      desk.load(edits);
      start.loaded();
      await begin();
    }
    return inventoryStatus();
  }

  function inventoryStatus(): InventoryStatus {
    const [waiting = null, ...alsoWaiting] = [start.held(), ...desk.waiting()].filter((it) => it !== null);
    return { ...desk.status(), waiting, ...(alsoWaiting.length === 0 ? {} : { alsoWaiting }) };
  }

  function requireHeld(revision: number): void {
    const held = start.held();
    if (held?.revision === revision) return;
    if (held !== null && desk.waiting()[0]?.fault.state !== 'held') throw heldOther(held.revision, revision);
    desk.requireHeld(revision);
  }

  async function acceptHeld(revision: number): Promise<void> {
    requireHeld(revision);
    if (start.held()?.revision !== revision) return giveOut(desk.accept(revision, clock.now()));
    const released = kept.release();
    await delivery.orBehind(released, () => delivery.whole(released));
  }

  function pointsBehind(): number {
    const pending = start.state() === 'begun' ? assignment.wanted().keys() : [];
    return new Set([...delivery.behind, ...pending, ...kept.points()]).size;
  }

  async function numberAbove(point: string, revision: number): Promise<void> {
    const was = heads.get(point);
    // Before the beginning nothing is known of it; whoever reports says it again within a minute.
    if (was === null || was.state === null || start.state() !== 'begun' || revision <= was.head.revision) return;
    const { isTaken, isNew } = found.found(point, revision);
    const fields = { event: 'newer_revision_found', point, revision, given: was.head.revision, taken: isTaken };
    if (isTaken) logger.warn(fields, 'numbering above what a point holds');
    else if (isNew) logger.warn(fields, 'no store numbers so far: only in a new epoch is it numbered above this');
    if (!isTaken) return;
    revisions.above(revision);
    await delivery.anew(was.state);
  }

  const stopTurns = repeatedly(clock, RENEW_EVERY_MS, (turns) => {
    if (trust === null) return;
    const done = queue.run(async () => {
      await heads.renew();
      if (turns % SWEEP_EVERY === 0) shelf.sweep(clock.now());
    });
    done.catch((thrown) => logger.error({ event: 'heads_not_renewed', err: thrown }, messageOf(thrown)));
  });
  const stopRetries = repeatedly(clock, RETRY_MS, () => {
    if (delivery.behind.size === 0) return;
    const done = queue.run(() => delivery.whole(delivery.behind));
    done.catch((thrown) => logger.error({ event: 'points_behind', err: thrown }, messageOf(thrown)));
  });

  shelf.sweep(clock.now());
  return {
    setTrust: (newest, older) =>
      queue.run(async () => {
        if (newest.root.store !== store) throw otherStore(store, newest.root.store);
        for (const { version, document } of [...older, { version: newest.root.version, document: newest.document }]) {
          const bytes = Buffer.from(canonicalJson(document));
          roots.set(version, bytes);
          folder.writeRoot(version, bytes);
        }
        const was = trust;
        trust = newest;
        if (was === null || start.state() !== 'begun') return;
        // Another epoch is another state to a point; another root or key is the same one, signed anew.
        if (was.root.epoch !== newest.root.epoch) {
          revisions.above(found.forEpoch(newest.root.epoch));
          await delivery.whole(assignment.points());
        }
        await heads.renew();
      }),
    setVersions: (points) =>
      queue.run(async () => {
        assignment.want(points);
        start.assigned();
        if (start.state() !== 'begun') return begin();
        const moved = delivery.move();
        try {
          await delivery.whole(new Set([...moved, ...delivery.settled(assignment.points())]));
        } finally {
          heads.dropExcept(assignment.points());
          if (moved.length > 0) await reconsider();
        }
      }),
    submitInventory: (edits) => queue.run(() => submit(edits)),
    accept: (revision) => queue.run(() => acceptHeld(revision)),
    requireHeld,
    foundRevision: (point, revision) => queue.run(() => numberAbove(point, revision)),
    points: heads.all,
    point: heads.get,
    news: (point, from) => newsSince(heads.get(point), from),
    wait: waiters.wait,
    blob: shelf.read,
    root: (version) => roots.get(version === 'newest' ? (trust?.root.version ?? 0) : version) ?? null,
    onPublished: heads.onPublished,
    workloads: membership,
    status: () => ({
      revision: revisions.last(),
      waiting: waiters.waiting,
      inventory: inventoryStatus(),
      refused: assignment.refused(),
      unwritten: heads.unwritten(),
      behind: pointsBehind(),
      undelivered: delivery.behind.size,
    }),
    async close() {
      stopTurns();
      stopRetries();
      await queue.settled();
      await heads.settled();
      await revisions.close();
    },
  };
}

function otherStore(own: string, given: string): EdgewardError {
  return new EdgewardError('EDW_ERR_STORE_FOLDER', `publishing for the store ${own}: the trust root is of ${given}`, {
    mend: 'Name the state folder of this store, whole, from one backup.',
  });
}
