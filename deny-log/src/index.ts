export type { BatchTlsFiles } from './batch-post.ts';
export { type BatchSender, type BatchSenderOptions, type BatchSent, createBatchSender } from './batch-sender.ts';
export {
  BATCH_PATH,
  type BatchAnswer,
  type BatchHead,
  batchHeadSchema,
  type DenyBatch,
  fitting,
  formatDenyBatch,
  MAX_BATCH_BYTES,
  MAX_BATCH_RECORDS,
  type NumberedRecord,
  type Waiting,
} from './deny-batch.ts';
export {
  type DenyRecord,
  denyRecordSchema,
  maxLineBytes,
  type ParsedLine,
  parseDenyLine,
  sampleOf,
  type Unparsed,
  type UnparsedCause,
  unparsedCauses,
} from './deny-log.ts';
export { type DenyReason, type DenyVerdict, denyReasons } from './deny-reasons.ts';
export { type FileCursor, fileKey, type Loss, type LossCause, lossCauses } from './log-cursor.ts';
export {
  type CursorChange,
  createLogTail,
  folderAwayError,
  type LogBatch,
  type LogTail,
  type LogTailOptions,
} from './log-tail.ts';
export {
  denialText,
  gapText,
  lossText,
  unparsedText,
  type WireDenial,
  type WireGap,
  type WireLoss,
  type WireRecord,
  type WireUnparsed,
} from './wire-records.ts';
