export { type BigipAccess, bigipAccess } from './bigip-access.ts';
export {
  type BigipConfig,
  type HostsConfig,
  loadServiceConfig,
  type PointConfig,
  type ServiceConfig,
  type ServiceConfigInput,
  type StoreConfig,
} from './config.ts';
export { serviceSchema } from './config-schema.ts';
export { inviteHost, type KnownHost, knownHosts, planInvite } from './hosts/inviting.ts';
export { type PublishedPolicy, readPublishedPolicy } from './published-policy.ts';
export { type Service, type ServiceOptions, startService } from './service.ts';
export type { PointReport, ServiceStatus } from './status-api.ts';
