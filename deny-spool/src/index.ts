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
export type { Shed } from './standing.ts';
