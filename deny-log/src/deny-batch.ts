/**
 * A batch of numbered records on its way to whoever keeps denials, as docs/batches.md has it: one line that says whose numbers
 * these are and which, then one line a record. What is written here is read by the collector alone, and may be read by an
 * older or a newer one: members that it does not know are passed over. Nothing here knows what a record says. Pure.
 */
import * as z from 'zod';

export const BATCH_PATH = '/v1/batches';
export const BATCH_TYPE = 'application/x-ndjson';
/** Before it is packed. */
export const MAX_BATCH_BYTES: number = 1024 * 1024;
export const MAX_BATCH_RECORDS = 5_000;

export interface NumberedRecord {
  /** From 1, in each life (epoch) of whoever numbers. */
  seq: number;
  /** A JSON object with a `kind`, and without its number. */
  record: string;
}

export interface DenyBatch {
  /** 32 hex digits; numbers mean nothing without it. */
  epoch: string;
  /** In ascending order. None: whoever sends only says that it is there, and what waits. */
  records: readonly NumberedRecord[];
  /** What waits at the sender behind this batch. */
  waiting: Waiting;
}

export interface Waiting {
  records: number;
  /** Bytes of a log that were not read yet. */
  unreadBytes: number;
  /** Denials that could be kept nowhere, and of which there is no record yet. */
  shed: number;
}

export interface BatchHead {
  v: 1;
  epoch: string;
  /** Numbers of the first and last record; without records `last` is what was acknowledged, and `first` one more. */
  first: number;
  last: number;
  /** By the clock of the sender. */
  sentAt: string;
  waiting: Waiting;
}

/** What is answered once all of it is stored. */
export interface BatchAnswer {
  epoch: string;
  /** Everything up to here need not be sent again. */
  acknowledged: number;
}

const count = z.int().min(0);
const epoch = z.string().regex(/^[0-9a-f]{32}$/, 'is no epoch: 32 hex digits');

export const batchHeadSchema: z.ZodType<BatchHead> = z.object({
  v: z.literal(1),
  epoch,
  first: z.int().min(1),
  last: count,
  sentAt: z.iso.datetime({ precision: 3 }),
  waiting: z.object({ records: count, unreadBytes: count, shed: count }),
});

export const batchAnswerSchema: z.ZodType<BatchAnswer> = z.object({ epoch, acknowledged: count });

/** `acknowledged`: of what was sent before, for a batch without records. */
export function formatDenyBatch({ epoch, records, waiting }: DenyBatch, nowMs: number, acknowledged = 0): string {
  const last = records.at(-1)?.seq ?? acknowledged;
  const first = records[0]?.seq ?? last + 1;
  const head: BatchHead = { v: 1, epoch, first, last, sentAt: new Date(nowMs).toISOString(), waiting };
  return `${[JSON.stringify(head), ...records.map(numberedLine)].join('\n')}\n`;
}

/** As many from the first on as a batch holds; at least one. */
export function fitting<Kept extends NumberedRecord>(records: readonly Kept[]): Kept[] {
  let bytes = HEAD_BYTES;
  const end = records.findIndex((it, index) => {
    bytes += Buffer.byteLength(it.record) + NUMBER_BYTES;
    return index > 0 && (index >= MAX_BATCH_RECORDS || bytes > MAX_BATCH_BYTES);
  });
  return records.slice(0, end < 0 ? records.length : end);
}

const HEAD_BYTES = 512;
/** `"seq":9007199254740991,` and the end of the line. */
const NUMBER_BYTES = 24;

/** The text of a record is JSON already: it is not read only to be written again. */
function numberedLine({ seq, record }: NumberedRecord): string {
  return `{"seq":${seq},${record.slice(1)}`;
}
