/** Approved versions with the slices of their points, computed once and kept while a point has them. */
import type { Proposals } from '../proposals/proposals.ts';
import { type ApprovedVersion, type PointVersion, versionSlices } from '../publishing/index.ts';

export interface VersionsInUse {
  /** Throws EDW_ERR_VERSION_UNKNOWN, EDW_ERR_STORE_FOLDER. */
  get(version: number): Promise<ApprovedVersion>;
  /** As publishing takes it: a break-glass version with what is in force again when it ends. Throws the same. */
  inForce(version: number): Promise<PointVersion>;
  /** Forgets all others. */
  keep(versions: ReadonlySet<number>): void;
}

export function createVersionsInUse(proposals: Pick<Proposals, 'version' | 'slices'>): VersionsInUse {
  const known = new Map<number, ApprovedVersion>();

  async function get(number: number): Promise<ApprovedVersion> {
    const found = known.get(number);
    if (found !== undefined) return found;
    const { version, payload, approval } = proposals.version(number);
    const made: ApprovedVersion = {
      version,
      payload,
      approval,
      slices: await versionSlices(proposals.slices(number)),
    };
    known.set(number, made);
    return made;
  }

  return {
    get,
    async inForce(number) {
      const version = await get(number);
      // Before a break-glass version stands one that was approved in full.
      return { version, base: version.payload.breakGlass === null ? null : await get(number - 1) };
    },
    keep(versions) {
      for (const number of [...known.keys()])
        if (!versions.has(number) && !versions.has(number + 1)) known.delete(number);
    },
  };
}
