export * from './backoff.ts';
export { boundedNames, forgetBoundedNames } from './bounded-names.ts';
export * from './clock.ts';
export { type ConfigInput, loadConfig } from './config.ts';
export { describeSchema, type JsonSchema, jsonSchemaOf, type SchemaRow } from './config-schema.ts';
export * from './digest.ts';
export {
  stateWriteError,
  syncFolder,
  systemCodeOf,
  unfinishedSuffix,
  writeDurably,
  writeUnfinished,
} from './durable-file.ts';
export * from './durable-folder.ts';
export * from './errors.ts';
export { acceptsGzip } from './http-answer.ts';
export {
  failure,
  type HttpAnswer,
  type HttpFailure,
  type HttpRequest,
  type HttpRoute,
  type ServerEvent,
} from './http-route.ts';
export { type HttpServer, type HttpServerOptions, openHttpServer } from './http-server.ts';
export { type ExchangeFailures, type HttpsAnswer, type HttpsAsked, httpsExchange } from './https-exchange.ts';
export * from './lifecycle.ts';
export * from './logger.ts';
export * from './metrics.ts';
export * from './metrics-server.ts';
export * from './pause.ts';
export { readPlainFile } from './plain-file.ts';
export * from './rate-limit.ts';
export { createRecordQuota, type RecordQuota } from './record-quota.ts';
export * from './repetition.ts';
export * from './secret-file.ts';
export { refuseHeldState, takeStateLock } from './state-lock.ts';
export {
  type AnonymousRequest,
  type AnonymousTlsOptions,
  neighbourhoodOf,
  openAnonymousTlsServer,
} from './tls-anonymous.ts';
export type { TlsListenerOptions, TlsServer } from './tls-listener.ts';
export type { TlsFiles, TlsServerFiles } from './tls-material.ts';
export { openTlsServer, type TlsAsked, type TlsRequest, type TlsServerOptions } from './tls-server.ts';
export * from './work-queue.ts';
