export { createHybridPoint, forgetSnapshots, type HybridPoint, type HybridPointOptions } from './hybrid-point.ts';
export type { SnapshotStatus } from './snapshot-keeper.ts';
