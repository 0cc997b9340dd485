/**
 * Versions that people published, as publishing takes them: documents worked out into slices once more, from the very
 * bytes that were signed. Only the newest few are kept.
 */
import { slicesOf } from '../bundle/approval-payload.ts';
import type { Proposals, PublishedVersion } from '../proposals/proposals.ts';
import type { ApprovedVersion, PointVersion } from '../publishing/index.ts';

export interface VersionsInForce {
  /** The newest version everywhere; under a break-glass one with what is in force again when it ends. */
  everywhere(): Promise<ReadonlyMap<string, PointVersion>>;
}

const KEPT = 3;

export function versionsInForce(proposals: Proposals): VersionsInForce {
  const kept = new Map<number, ApprovedVersion>();

  async function approved(version: PublishedVersion): Promise<ApprovedVersion> {
    const known = kept.get(version.version);
    if (known !== undefined) return known;
    const slices = slicesOf(await proposals.bundle(version.version));
    const made = { version: version.version, payload: version.payload, approval: version.approval, slices };
    kept.set(version.version, made);
    for (const number of [...kept.keys()].sort((a, b) => a - b).slice(0, -KEPT)) kept.delete(number);
    return made;
  }

  return {
    async everywhere() {
      const newest = proposals.current();
      if (newest === null) return new Map();
      const full = proposals.versions().findLast(({ payload }) => payload.breakGlass === null) ?? null;
      const base = newest.payload.breakGlass === null || full === null ? null : await approved(full);
      const version = await approved(newest);
      return new Map(version.slices.map(({ point }) => [point, { version, base }]));
    },
  };
}
