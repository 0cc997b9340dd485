export type { PointVersion } from './assignment.ts';
export type { InventoryStatus } from './inventory-desk.ts';
export type { Excess, MemberLoss } from './judgement.ts';
export type { PointNews } from './point-news.ts';
export type { PublishedPoint } from './published-point.ts';
export {
  createPublishing,
  type Publishing,
  type PublishingOptions,
  type PublishingStatus,
  type Trust,
} from './publishing.ts';
export { type ApprovedVersion, versionSlices } from './slice-blobs.ts';
