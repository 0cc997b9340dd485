export {
  type Appended,
  type DenySpool,
  type DenySpoolOptions,
  type Entry,
  openDenySpool,
  type ReadBounds,
  type SpoolStatus,
  type StoredRecord,
} from './deny-spool.ts';
export { type Sending, type SendingOptions, type Sent, startSending } from './sending.ts';
export type { Shed } from './standing.ts';
