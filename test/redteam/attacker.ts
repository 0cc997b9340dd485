/**
 * Whoever has every key of the servers and none of a person: the store's signing keys (also those of yesterday), the key of
 * the record, and with them its disk, its certificate, its NATS user, every mirror and the network. All that ever was signed
 * is at hand, and what is at hand is served in whatever combination an offer names.
 */
import type { PointRules, RuleGroup } from '@edgeward/policy';
import {
  type Approval,
  type Blob,
  canonicalJson,
  createMemberBook,
  type Delta,
  type Digest,
  digestOfPayload,
  type Head,
  headOf,
  type MemberBook,
  operationsBetween,
  type PointState,
  payloadOf,
  rulesBytes,
  type SignedDocument,
  type SigningKey,
  sign,
  signHead,
  sliceTree,
  stateRootOf,
  type TrustRoot,
} from '@edgeward/policy-format';
import type { SignedWorld } from '../kit/signed-world.ts';
import { MOST, POINTS } from './estate.ts';
import { holds } from './oracle.ts';

/** What a head can name of one version at one point. */
export interface SeenSlice {
  point: string;
  /** Of the approval's payload. */
  version: Digest;
  of: Pick<Approval, 'previous' | 'breakGlass'>;
  rules: PointRules;
  approval: Blob;
  rulesBlob: Blob;
}

/** Who is to be where: these addresses in each group that the rules name, or in every group that was ever seen. */
export interface MemberPlan {
  addresses: readonly string[];
  everywhere: boolean;
  /** Left out where people's fences would leave them out: the most that is believed. */
  fenced: boolean;
  /** As many as there are, whatever `max` says. */
  tooMany: boolean;
}

/** A head, as an attacker would have it. Numbers are places in what was seen, counted round. */
export interface HeadPlan {
  /** The head to begin from. */
  like: number;
  /** Approval and rules of one version for the victim's point; null: those of `like`. */
  slice: number | null;
  /** Other rules, or another approval, than that version has: mixed. */
  mixedRules: number | null;
  mixedApproval: number | null;
  /** What is to be in force when a break-glass version ends: what it says itself, that of `like`, nothing, or this slice. */
  base: number | 'right' | 'like' | 'none';
  /** Null: those of `like`. */
  members: MemberPlan | null;
  revision: 'next' | 'same' | 'before' | 'far' | 'further' | 'last' | 'first';
  epoch: -1 | 0 | 1;
  root: -1 | 0 | 1;
  aud: 'own' | 'like';
  requires: 'none' | 'like' | 'unknown';
  issuedAtMs: number | null;
  livesMs: number;
  stateRoot: 'right' | 'like' | 'other';
  key: 'store' | 'old-store' | 'log' | 'nobody';
}

export interface Attacker {
  /** Everything honest that is there now is seen. */
  watch(): void;
  readonly slices: readonly SeenSlice[];
  readonly heads: readonly SignedDocument[];
  forgedHead(plan: HeadPlan, held: PointState | null): Promise<{ signed: SignedDocument; book: MemberBook }>;
  /** From what the victim holds to a forged head. */
  forgedDelta(plan: HeadPlan, held: PointState): Promise<Delta>;
  /** Rules and an approval for them by these keys, as one more slice to name. Its version is told. */
  forgeApproval(rules: readonly PointRules[], approval: Approval, keys: readonly SigningKey[]): Promise<Digest>;
  forgeRoot(root: TrustRoot, keys: readonly SigningKey[]): Promise<SignedDocument>;
  /** Served in the place of what a digest names, or a version of the trust root. */
  readonly lies: { blobs: Map<Digest, Uint8Array | null>; roots: Map<number, SignedDocument | null> };
  blob(digest: Digest): Uint8Array | null;
  root(version: number): SignedDocument | null;
}

export function createAttacker(world: SignedWorld, point: string, stranger: SigningKey): Attacker {
  const slices: SeenSlice[] = [];
  const heads: SignedDocument[] = [];
  const storeKeys: SigningKey[] = [world.keys.store];
  const books = new Map<Digest, MemberBook>();
  const known = new Set<string>();
  const lies: Attacker['lies'] = { blobs: new Map(), roots: new Map() };

  const pick = <T>(list: readonly T[], at: number): T => list[at % list.length] as T;
  const ownSlice = (at: number): SeenSlice =>
    pick(
      slices.filter((it) => it.point === point),
      at,
    );

  function put(book: MemberBook): Blob {
    for (let number = 0; number < book.pageCount; number += 1) world.put(book.page(number).bytes);
    const blob = world.put(book.index().bytes);
    books.set(blob.digest, book);
    return blob;
  }

  function see(slice: SeenSlice): void {
    const key = `${slice.point} ${slice.approval.digest} ${slice.rulesBlob.digest}`;
    if (known.has(key)) return;
    known.add(key);
    slices.push(slice);
  }

  function keyOf(plan: HeadPlan): SigningKey {
    if (plan.key === 'log') return world.keys.log;
    if (plan.key === 'nobody') return stranger;
    return plan.key === 'store' ? world.keys.store : (storeKeys[0] ?? stranger);
  }

  function parts(plan: HeadPlan, like: Head): Pick<Head, 'approval' | 'rules' | 'base' | 'members'> {
    const slice = plan.slice === null ? null : ownSlice(plan.slice);
    const base = baseOf(plan, slice);
    return {
      approval:
        plan.mixedApproval === null ? (slice?.approval ?? like.approval) : pick(slices, plan.mixedApproval).approval,
      rules: plan.mixedRules === null ? (slice?.rulesBlob ?? like.rules) : pick(slices, plan.mixedRules).rulesBlob,
      base:
        plan.base === 'like' ? like.base : base === null ? null : { approval: base.approval, rules: base.rulesBlob },
      members:
        plan.members === null
          ? like.members
          : put(createMemberBook(membersOf(plan.members, groups(plan.members.everywhere ? [] : [slice, base])))),
    };
  }

  function baseOf({ base }: HeadPlan, slice: SeenSlice | null): SeenSlice | null {
    if (typeof base === 'number') return ownSlice(base);
    if (base !== 'right' || slice === null || slice.of.breakGlass === null) return null;
    return slices.find((it) => it.point === point && it.version === slice.of.previous) ?? null;
  }

  /** By id, of these slices; of all where there are none. */
  function groups(of: readonly (SeenSlice | null)[]): WorkloadGroup[] {
    const named = of.filter((it) => it !== null);
    const found = new Map<string, WorkloadGroup>();
    for (const { rules } of named.length === 0 ? slices : named)
      for (const group of rules.groups) if (group.kind === 'workloads') found.set(group.id, group);
    return [...found.values()];
  }

  async function forgedHead(
    plan: HeadPlan,
    held: PointState | null,
  ): Promise<{ signed: SignedDocument; book: MemberBook }> {
    const like = headOf(payloadOf(pick(heads, plan.like), 'a head', 1 << 20));
    const from = held?.head ?? like;
    const named = parts(plan, like);
    const issuedMs = plan.issuedAtMs ?? world.nowMs;
    const right = stateRootOf(named);
    const head: Head = {
      ...like,
      ...named,
      aud: plan.aud === 'own' ? point : like.aud,
      epoch: Math.max(0, from.epoch + plan.epoch),
      revision: revisionOf(plan.revision, from.revision),
      root: Math.max(1, from.root + plan.root),
      requires: plan.requires === 'none' ? [] : plan.requires === 'like' ? like.requires : ['tomorrow'],
      issuedAt: new Date(issuedMs).toISOString(),
      expiresAt: new Date(issuedMs + plan.livesMs).toISOString(),
      stateRoot: plan.stateRoot === 'right' ? right : plan.stateRoot === 'like' ? like.stateRoot : 'f'.repeat(64),
    };
    const book = books.get(named.members.digest) ?? createMemberBook([]);
    return { signed: await signHead(head, keyOf(plan)), book };
  }

  return {
    slices,
    heads,
    lies,
    watch() {
      if (storeKeys.at(-1) !== world.keys.store) storeKeys.push(world.keys.store);
      for (const name of POINTS) {
        const { signed, version, book } = world.at(name);
        if (heads.at(-1) !== signed) heads.push(signed);
        books.set(book.index().digest, book);
        for (const [of, { rules, approvalBlob, rulesBlob }] of version.slices)
          see({ point: of, version: version.digest, of: version.approval, rules, approval: approvalBlob, rulesBlob });
      }
    },
    forgedHead,
    async forgedDelta(plan, held) {
      const { signed, book } = await forgedHead(plan, held);
      const { epoch, revision, stateRoot } = held.head;
      const operations = operationsBetween(held.book, book);
      return { typ: 'edgeward-delta/1', from: { epoch, revision, stateRoot }, operations, head: signed };
    },
    async forgeApproval(rules, approval, keys) {
      const sorted = [...rules].sort((a, b) => (a.point < b.point ? -1 : 1));
      const blobs = sorted.map((it) => world.put(rulesBytes(it)));
      const tree = sliceTree(sorted.map((it, at) => ({ point: it.point, rulesDigest: blobs[at]?.digest ?? '' })));
      const payload: Approval = { ...approval, slices: { root: tree.root, count: sorted.length } };
      const signed = await sign(payload, keys);
      const version = digestOfPayload(signed);
      sorted.forEach((it, index) => {
        const blob = world.put(Buffer.from(canonicalJson({ approval: signed, index, path: tree.proof(index) })));
        see({ point: it.point, version, of: approval, rules: it, approval: blob, rulesBlob: blobs[index] as Blob });
      });
      return version;
    },
    forgeRoot: (root, keys) => sign(root, keys),
    blob: (digest) => (lies.blobs.has(digest) ? (lies.blobs.get(digest) ?? null) : world.blob(digest)),
    root: (version) => (lies.roots.has(version) ? (lies.roots.get(version) ?? null) : world.rootDocument(version)),
  };
}

type WorkloadGroup = Extract<RuleGroup, { kind: 'workloads' }>;

function membersOf(plan: MemberPlan, groups: readonly WorkloadGroup[]): [string, string[]][] {
  return groups.map(({ id, within }) => {
    if (!plan.fenced) return [id, [...plan.addresses]];
    const inside = plan.addresses.filter((it) => within === null || within.some((cidr) => holds(cidr, it)));
    return [id, plan.tooMany ? inside : inside.slice(0, MOST)];
  });
}

function revisionOf(plan: HeadPlan['revision'], held: number): number {
  const far = 2 ** 32;
  const by = { next: 1, same: 0, before: -1, far, further: far + 1, last: Number.MAX_SAFE_INTEGER, first: -held + 1 };
  return Math.min(Number.MAX_SAFE_INTEGER, Math.max(1, held + by[plan]));
}
