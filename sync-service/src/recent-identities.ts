import type { Identities } from '@edgeward/policy';

/**
 * Who every address is, at the newest revisions. Two are enough: a denial is read from its log within a second of the
 * verdict, and what is older gets the newest labels, under the revision that they are of.
 */
export interface RecentIdentities {
  remember(revision: number, identities: Identities): void;
  /** Of this revision, or else of the newest; null before there is any. */
  at(revision?: number): KnownIdentities | null;
}

export interface KnownIdentities {
  identities: Identities;
  revision: number;
}

const KEPT = 2;

export function recentIdentities(): RecentIdentities {
  let recent: KnownIdentities[] = [];
  return {
    remember(revision, identities) {
      const others = recent.filter((it) => it.revision !== revision);
      recent = [{ revision, identities }, ...others].slice(0, KEPT);
    },
    at: (revision) => recent.find((it) => it.revision === revision) ?? recent[0] ?? null,
  };
}
