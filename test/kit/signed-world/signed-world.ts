/**
 * A store in memory: people, keys, trust roots, approved versions, signed heads, deltas and blobs, for tests of whoever
 * follows one. It is made of the product's own functions, and honest until somebody uses its keys by hand. Equal calls
 * make equal bytes: keys come from names, and its clock moves a second with whatever it publishes.
 */
import type { PointRules } from '@edgeward/policy';
import {
  type Blob,
  type Cursor,
  type Delta,
  type Digest,
  digestOf,
  digestOfRoot,
  type Head,
  type SignedDocument,
  type SigningKey,
  sign,
  signHead,
  type TrustRoot,
} from '@edgeward/policy-format';
import { approvedVersion, type Version, type VersionOptions } from './approved-version.ts';
import { firstRoot, type PersonName, type WorldKeys, worldKeys } from './first-root.ts';
import { type Members, type WorldPoint, worldDelta, worldPoint } from './world-point.ts';

export interface SignedWorld {
  readonly keys: WorldKeys;
  readonly store: string;
  /** The newest. */
  readonly root: TrustRoot;
  /** The first one as it would be pinned. */
  readonly pinned: SignedDocument;
  /** Of the last publication, in milliseconds; a test may set it. */
  nowMs: number;
  /** Of the last publication; a test may drive it up. */
  revision: number;
  /** By digest: everything that was ever named. A test may change what is served. */
  readonly blobs: Map<Digest, Uint8Array>;
  /** Approves these slices, one a point, as the next version, and gives every point of it a new head. */
  publish(rules: readonly PointRules[], options?: VersionOptions & { members?: Members }): Promise<Version>;
  /** These points go back to the version before the newest; all others keep theirs. */
  returnPoints(points: readonly string[]): Promise<void>;
  /** Who is where now. Points that this does not concern keep their heads. */
  move(members: Members): Promise<void>;
  /** New heads for the same states: another `issuedAt`. */
  refresh(): Promise<void>;
  /** The next trust root, signed by bob and carol unless others are named. Heads follow with the next publication. */
  changeRoot(change: (root: TrustRoot) => TrustRoot, signers?: readonly PersonName[]): Promise<SignedDocument>;
  /** Signs heads with another key from now on. */
  useStoreKey(key: SigningKey): void;
  head(point: string): SignedDocument;
  /** What the head says, and everything else about this point. */
  at(point: string): WorldPoint;
  /** Null where this point never had that state. */
  delta(point: string, from: Cursor): Delta | null;
  blob(digest: Digest): Uint8Array | null;
  /** The one that was made as this version, whatever it says of itself. */
  rootDocument(version: number): SignedDocument | null;
  /** Another head for this point, signed with the store's key unless another is given: what a stolen one can do. */
  forge(point: string, change: (head: Head) => Head, key?: SigningKey): Promise<SignedDocument>;
  put(bytes: Uint8Array): Blob;
}

export interface WorldOptions {
  /** Worlds of different seeds are different stores with different keys. Default `world`. */
  seed?: string;
  /** Default 2026-11-22T12:00:00Z. */
  nowMs?: number;
  /** Of the first root. */
  change?: (root: TrustRoot) => TrustRoot;
}

/** How long a head is good for. */
export const HEAD_LIFETIME_MS = 24 * 3_600_000;

export async function createSignedWorld(options: WorldOptions = {}): Promise<SignedWorld> {
  const { seed = 'world', nowMs = Date.parse('2026-11-22T12:00:00Z') } = options;
  const keys = await worldKeys(seed);
  const drafted = firstRoot(seed, keys, nowMs);
  const first = options.change?.(drafted) ?? drafted;
  const roots = [{ root: first, signed: await sign(first, [keys.people.bob, keys.people.carol]) }] as [
    Signed,
    ...Signed[],
  ];
  const blobs = new Map<Digest, Uint8Array>();
  const points = new Map<string, WorldPoint>();
  const versions: Version[] = [];
  let members: Members = {};

  const newest = (): TrustRoot => (roots.at(-1) ?? roots[0]).root;
  const put = (bytes: Uint8Array): Blob => {
    const digest = digestOf(bytes);
    blobs.set(digest, bytes);
    return { digest, bytes: bytes.length };
  };

  async function give(point: string, version: Version, base: Version | null): Promise<void> {
    const before = points.get(point) ?? null;
    const stamp = stampOf(version);
    const given = await worldPoint({ point, version, base, members, before, stamp, keys });
    if (given === null) {
      points.delete(point);
      return;
    }
    const { book } = given;
    put(book.index().bytes);
    for (let number = 0; number < book.pageCount; number += 1) put(book.page(number).bytes);
    points.set(point, given);
  }

  const stampOf = (version: Version) => ({
    store: first.store,
    epoch: newest().epoch,
    revision: world.revision,
    root: version.approval.root,
    issuedAt: new Date(world.nowMs).toISOString(),
    expiresAt: new Date(world.nowMs + HEAD_LIFETIME_MS).toISOString(),
    log: { size: world.revision, hash: digestOf(`entry ${world.revision}`) },
  });

  const step = (): void => {
    world.nowMs += 1000;
    world.revision += 1;
  };

  const at = (point: string): WorldPoint => {
    const known = points.get(point);
    if (known === undefined) throw new Error(`the world has no point '${point}'`);
    return known;
  };

  const world: SignedWorld = {
    keys,
    store: first.store,
    get root() {
      return newest();
    },
    pinned: roots[0].signed,
    nowMs,
    revision: 0,
    blobs,
    async publish(rules, { members: moved = members, ...version } = {}) {
      step();
      members = moved;
      const before = versions.at(-1) ?? null;
      const next = await approvedVersion({
        rules,
        before,
        root: newest(),
        keys,
        nowMs: world.nowMs,
        put,
        options: version,
      });
      versions.push(next);
      for (const point of new Set([...next.slices.keys(), ...points.keys()]))
        await give(point, next, next.approval.breakGlass === null ? null : before);
      return next;
    },
    async returnPoints(names) {
      step();
      const before = versions.at(-2);
      if (before === undefined) throw new Error('there is no version to return to');
      const base = before.approval.breakGlass === null ? null : (versions.at(-3) ?? null);
      for (const name of names) await give(name, before, base);
    },
    async move(moved) {
      step();
      members = moved;
      for (const before of [...points.values()]) {
        await give(before.point, before.version, before.base);
        if (at(before.point).head.stateRoot === before.head.stateRoot) points.set(before.point, before);
      }
    },
    async refresh() {
      world.nowMs += 1000;
      for (const { point, head } of points.values()) {
        const { issuedAt, expiresAt } = stampOf(at(point).version);
        const renewed = { ...head, issuedAt, expiresAt };
        points.set(point, { ...at(point), head: renewed, signed: await signHead(renewed, keys.store) });
      }
    },
    async changeRoot(change, signers = ['bob', 'carol']) {
      const before = newest();
      const issuedAt = new Date(world.nowMs).toISOString();
      const root = change({ ...before, version: before.version + 1, previous: digestOfRoot(before), issuedAt });
      const signed = await sign(
        root,
        signers.map((name) => keys.people[name]),
      );
      roots.push({ root, signed });
      return signed;
    },
    useStoreKey(key) {
      keys.store = key;
    },
    head: (point) => at(point).signed,
    at,
    delta: (point, from) => worldDelta(at(point), from),
    blob: (digest) => blobs.get(digest) ?? null,
    rootDocument: (version) => roots[version - 1]?.signed ?? null,
    forge: (point, change, key = keys.store) => signHead(change(structuredClone(at(point).head)), key),
    put,
  };
  return world;
}

interface Signed {
  root: TrustRoot;
  signed: SignedDocument;
}
