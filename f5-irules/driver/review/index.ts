export type { AttachmentResult, RulesChange } from './attachment.ts';
export type { DiscoveredVirtual, Discovery } from './discovery.ts';
export type { FlowChange } from './flow-changes.ts';
export type { ObjectChange, Unread } from './object-changes.ts';
export { changesNothing, type Preview } from './preview.ts';
export type { PlannedCall } from './rehearsal.ts';
export { type BigipReview, type BigipReviewOptions, createBigipReview } from './review.ts';
export type { Difference, Verification } from './verification.ts';
