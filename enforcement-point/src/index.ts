export type * from './enforcement-point.ts';
export type { PointError, PointState, PointStatus } from './point-status.ts';
export { createReconciler, type Reconciler, type ReconcilerOptions } from './reconciler.ts';
export type { OnDrift } from './reconciler-plan.ts';
export { revisionOlder } from './revision-older.ts';
