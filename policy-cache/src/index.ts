export { openPolicyCache, type PolicyCache, type PolicyCacheOptions } from './policy-cache.ts';
export type { LoadedSnapshot, Snapshot } from './snapshot-file.ts';
