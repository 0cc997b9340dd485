export {
  type NatsCrossings,
  type NatsPermissions,
  type NatsUser,
  natsAccounts,
  natsCrossings,
  pointPermissions,
  storePermissions,
} from './accounts.ts';
export { type NatsCredentials, readNatsCredentials } from './credentials.ts';
export * as natsLayout from './layout.ts';
export { type NatsLink, type NatsLinkOptions, openNatsLink } from './link.ts';
export { createNatsTransport, type NatsTransportOptions } from './nats-transport.ts';
