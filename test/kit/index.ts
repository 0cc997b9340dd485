export type { Bigip, BigipFront, BigipOptions } from './bigip.ts';
export type { CertificateFiles, TestCertificates } from './certificates.ts';
export { compileDocuments } from './compiled-documents.ts';
export { type Denial, denialsIn } from './denials.ts';
export type { Edge, EdgeOptions, EdgePaths, Teardown } from './edge.ts';
export type { Claim, OnNginx } from './every-nginx.ts';
export { type Flood, type FloodOptions, flood } from './flood.ts';
export { freePort } from './free-port.ts';
export { HOST_ADDRESSES, type HostTeardown, requireHosts, startHost, type TestHost } from './hosts.ts';
export type { HostProbe, ProbeFlow, ProbeOutcome } from './hosts-calling.ts';
export { type Fault, type LokiStandIn, type StoredLine, startLokiStandIn } from './loki-stand-in.ts';
export type { NatsCluster, NatsClusterOptions } from './nats.ts';
export type { NatsStore, NatsStoreOptions } from './nats-store.ts';
export type { EdgeServer } from './nginx-configuration.ts';
export { liveEditions, type NginxEditionName } from './nginx-edition-names.ts';
export type { NginxEdition } from './nginx-editions.ts';
export { type Postgres, type PostgresOptions, postgresPrograms, requirePostgres, startPostgres } from './postgres.ts';
export type { Prometheus, PrometheusOptions, PrometheusSample, PrometheusTarget } from './prometheus.ts';
export { publishedWorld } from './published-world.ts';
export { type PushAnswer, type PushCall, pushCall } from './push-call.ts';
export { type RawConnection, rawConnection } from './raw-connection.ts';
export { type RawAnswer, type RawRequest, rawRequest } from './raw-request.ts';
export {
  createLastHop,
  createSignedWorld,
  HEAD_LIFETIME_MS,
  type LastHop,
  type Members,
  type PersonName,
  type SignedWorld,
  seededKey,
  simpleGroup,
  simpleSlices,
  sliceDocuments,
  type Version,
  type VersionOptions,
  type WorldKeys,
  type WorldOptions,
  type WorldPoint,
} from './signed-world.ts';
export { type SteadyClient, type SteadyLoad, startSteadyLoad } from './steady-load.ts';
export type { StreamServer } from './stream-configuration.ts';
export { startUpstream, type Upstream } from './upstream.ts';
export { virtualOf } from './virtual-name.ts';
export {
  nginxEdition,
  onEveryNginx,
  privateNginx,
  requireNatsServer,
  requireNginx,
  requirePrometheus,
  requireTclsh,
  startBigip,
  startEdge,
  startNatsCluster,
  startNatsStore,
  startPrometheus,
  testCertificates,
  testNginx,
} from './when-used.ts';
