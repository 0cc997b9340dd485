export { cleanText, type StoreFailureCode, storeFailure } from './failures.ts';
export { createFileTransport, type FileTransportOptions } from './files/file-transport.ts';
export { createHttpsTransport, type HttpsTransportOptions } from './https/https-transport.ts';
export type { Resolver } from './https/pinned-lookup.ts';
export type { TlsTexts } from './https/tls-identity.ts';
export * from './nats/index.ts';
export type { News, Transport } from './transport.ts';
