/**
 * Which approved version a policy was of that a point was given here. A point that is away holds what it was given long
 * ago, so versions are kept and not revisions: machines make many of those. Forgotten at a restart, but for the newest.
 */
export interface GivenVersions {
  remember(policy: Given, version: number): void;
  /** Null where it was not given here, or too long ago. */
  versionOf(policy: Given): number | null;
}

export interface Given {
  revision: number;
  hash: string;
}

/** What followed each other under one version. */
interface Run {
  version: number;
  first: number;
  last: Given;
}

const KEPT = 8;

export function givenVersions(): GivenVersions {
  let runs: Run[] = [];
  return {
    remember({ revision, hash }, version) {
      const [newest, ...older] = runs;
      const last = { revision, hash };
      const isSame = newest?.version === version && newest.last.revision <= revision;
      runs = isSame ? [{ ...newest, last }, ...older] : [{ version, first: revision, last }, ...runs].slice(0, KEPT);
    },
    versionOf({ revision, hash }) {
      // Where break-glass ends, the version before comes back under the same revision.
      const exact = runs.find(({ last }) => last.revision === revision && last.hash === hash);
      const found = exact ?? runs.find(({ first, last }) => first <= revision && revision <= last.revision);
      return found?.version ?? null;
    },
  };
}
