export { openPolicyCache, type PolicyCache, type PolicyCacheOptions, readSnapshotOf } from './policy-cache.ts';
export type { LoadedSnapshot, Snapshot } from './snapshot-file.ts';
export type { SnapshotAnswer } from './snapshot-pair.ts';
