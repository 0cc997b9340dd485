export {
  loadServiceConfig,
  type PointConfig,
  type ServiceConfig,
  type ServiceConfigInput,
  serviceSchema,
} from './config.ts';
export { type Service, type ServiceOptions, startService } from './service.ts';
export type { PointReport, ServiceStatus } from './status-api.ts';
