/** A store in memory, and a point that follows it: for tests of whatever stands on either side. */
export type { Version, VersionOptions } from './signed-world/approved-version.ts';
export type { PersonName, WorldKeys } from './signed-world/first-root.ts';
export { createLastHop, type LastHop } from './signed-world/last-hop.ts';
export { seededKey } from './signed-world/seeded-key.ts';
export {
  createSignedWorld,
  HEAD_LIFETIME_MS,
  type SignedWorld,
  type WorldOptions,
} from './signed-world/signed-world.ts';
export { simpleGroup, simpleSlices, sliceDocuments } from './signed-world/sliced-documents.ts';
export type { Members, WorldPoint } from './signed-world/world-point.ts';
