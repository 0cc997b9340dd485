export type { News, Transport } from './transport.ts';
