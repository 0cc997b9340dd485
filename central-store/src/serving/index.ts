export type { Budget, RateLimits } from './access.ts';
export { openApiOf } from './openapi.ts';
export { peopleRoutes } from './people-routes.ts';
export { heard, pointRoutes } from './point-routes.ts';
export { openReportShelf, type ReportShelf } from './report-shelf.ts';
export type { StoreRoute } from './route.ts';
export { openServing, type Serving, type ServingCounts, type ServingOptions } from './serving.ts';
export { type PointStatus, type StatusSources, type StoreStatus, storeStatus } from './status.ts';
