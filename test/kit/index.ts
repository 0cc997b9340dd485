export { type Bigip, type BigipFront, type BigipOptions, startBigip, virtualOf } from './bigip.ts';
export { type CertificateFiles, type TestCertificates, testCertificates } from './certificates.ts';
export { compileDocuments } from './compiled-documents.ts';
export { type Denial, denialsIn } from './denials.ts';
export { type Edge, type EdgeOptions, type EdgePaths, startEdge, type Teardown } from './edge.ts';
export { type Claim, type OnNginx, onEveryNginx } from './every-nginx.ts';
export { type Flood, type FloodOptions, flood } from './flood.ts';
export { freePort } from './free-port.ts';
export { HOST_ADDRESSES, type HostTeardown, requireHosts, startHost, type TestHost } from './hosts.ts';
export type { HostProbe, ProbeFlow, ProbeOutcome } from './hosts-calling.ts';
export { type Fault, type LokiStandIn, type StoredLine, startLokiStandIn } from './loki-stand-in.ts';
export { type NatsCluster, type NatsClusterOptions, requireNatsServer, startNatsCluster } from './nats.ts';
export { type NatsStore, type NatsStoreOptions, publishedWorld, startNatsStore } from './nats-store.ts';
export type { EdgeServer } from './nginx-configuration.ts';
export { liveEditions, type NginxEdition, type NginxEditionName, nginxEdition } from './nginx-editions.ts';
export { type Postgres, type PostgresOptions, postgresPrograms, requirePostgres, startPostgres } from './postgres.ts';
export {
  type Prometheus,
  type PrometheusOptions,
  type PrometheusSample,
  type PrometheusTarget,
  requirePrometheus,
  startPrometheus,
} from './prometheus.ts';
export { type PushAnswer, type PushCall, pushCall } from './push-call.ts';
export { type RawConnection, rawConnection } from './raw-connection.ts';
export { type RawAnswer, type RawRequest, rawRequest } from './raw-request.ts';
export { privateNginx, requireNginx, testNginx } from './real-nginx.ts';
export { requireTclsh } from './real-tclsh.ts';
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
