export { cleanText, type StoreFailureCode, storeFailure } from './failures.ts';
export type { News, Transport } from './transport.ts';
