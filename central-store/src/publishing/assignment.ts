/**
 * Which version each point is to have, and has. The two differ while a group has more members than the newer version
 * allows: then the point keeps what it has. What a point has already is not given to it once more.
 */
import type { Membership } from '../membership/index.ts';
import { type Excess, excessesAt } from './judgement.ts';
import { type PointSlices, workloadGroups } from './point-state.ts';
import { type ApprovedVersion, type SliceBlobs, type SlicesByPoint, slicesByPoint } from './slice-blobs.ts';

/** `base` is what is in force again when a break-glass version ends. */
export interface PointVersion {
  version: ApprovedVersion;
  base: ApprovedVersion | null;
}

export interface Assignment {
  /** These points and no others. Throws EDW_ERR_STORE_SLICES. */
  want(points: ReadonlyMap<string, PointVersion>): void;
  /** What an earlier process gave to points is in force. */
  adopt(points: ReadonlyMap<string, PointSlices>): void;
  /** Moves points to what they are to have, where they may. The answer: those that moved. */
  move(): string[];
  /** In force. */
  get(point: string): PointSlices | undefined;
  wanted(): ReadonlyMap<string, PointSlices>;
  /** All points, moved or not. */
  points(): Set<string>;
  naming(groups: Iterable<string>): Set<string>;
  refused(): Excess[];
}

export function createAssignment(membership: Membership): Assignment {
  const inForce = new Map<string, PointSlices>();
  const wanted = new Map<string, PointSlices>();
  const byGroup = new Map<string, Set<string>>();
  let followed = new Set<string>();
  const sliced = new WeakMap<ApprovedVersion, SlicesByPoint>();
  let refused: Excess[] = [];

  function slicesOf(point: string, { version, base }: PointVersion): PointSlices | null {
    const slice = blobsOf(version)(point);
    const before = base === null ? null : blobsOf(base)(point);
    // A break-glass version without a way back is one that no point takes.
    if (slice === null || (base !== null && before === null)) return null;
    return { version: version.version, slice, base: before };
  }

  function blobsOf(version: ApprovedVersion): SlicesByPoint {
    const known = sliced.get(version) ?? slicesByPoint(version);
    sliced.set(version, known);
    return known;
  }

  /** Groups of what is in force and of what is to be. Their limits differ from point to point and are looked at here. */
  function follow(): void {
    const groups = new Map<string, Parameters<Membership['setGroups']>[0][number]>();
    byGroup.clear();
    for (const [point, slices] of [...inForce, ...wanted]) {
      for (const blobs of [slices.slice, slices.base])
        for (const group of blobs?.rules.groups ?? []) groups.set(group.id, group);
      for (const group of workloadGroups(slices)) byGroup.set(group, (byGroup.get(group) ?? new Set()).add(point));
    }
    // An id stands for one term: equal ids are equal groups, and to look at every workload anew would find the same.
    if (groups.size === followed.size && [...groups.keys()].every((id) => followed.has(id))) return;
    membership.setGroups([...groups.values()].map((group) => ({ ...group, max: null })));
    followed = new Set(groups.keys());
  }

  return {
    want(points) {
      const next = new Map<string, PointSlices>();
      for (const [point, version] of points) {
        const slices = slicesOf(point, version);
        if (slices !== null) next.set(point, slices);
      }
      for (const point of [...inForce.keys()]) if (!points.has(point)) inForce.delete(point);
      wanted.clear();
      for (const [point, slices] of next) if (!isSame(inForce.get(point), slices)) wanted.set(point, slices);
      refused = refused.filter(({ point }) => wanted.has(point));
      follow();
    },
    adopt(points) {
      for (const [point, slices] of points) {
        inForce.set(point, slices);
        if (isSame(wanted.get(point), slices)) wanted.delete(point);
      }
      follow();
    },
    move() {
      refused = [];
      const moved: string[] = [];
      for (const [point, slices] of wanted) {
        const excesses = excessesAt(point, slices, membership.sizeOf, null);
        refused.push(...excesses);
        if (excesses.length > 0) continue;
        inForce.set(point, slices);
        wanted.delete(point);
        moved.push(point);
      }
      return moved;
    },
    get: (point) => inForce.get(point),
    wanted: () => wanted,
    points: () => new Set([...inForce.keys(), ...wanted.keys()]),
    naming(groups) {
      const found = new Set<string>();
      for (const group of groups) for (const point of byGroup.get(group) ?? []) found.add(point);
      return found;
    },
    refused: () => refused,
  };
}

function isSame(a: PointSlices | undefined, b: PointSlices): boolean {
  return a !== undefined && isSameSlice(a.slice, b.slice) && isSameSlice(a.base, b.base);
}

function isSameSlice(a: SliceBlobs | null, b: SliceBlobs | null): boolean {
  if (a === null || b === null) return a === b;
  return a.approvalBlob.digest === b.approvalBlob.digest && a.rulesBlob.digest === b.rulesBlob.digest;
}
