export type { RateLimits } from './access.ts';
export { hearReport } from './heard-report.ts';
export { openReportShelf, type ReportShelf } from './report-shelf.ts';
export { openServing, type Serving, type ServingCounts } from './serving.ts';
export { type PointStatus, type StoreStatus, storeStatus } from './status.ts';
