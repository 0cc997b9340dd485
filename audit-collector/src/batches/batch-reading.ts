/**
 * A batch as it arrives (docs/batches.md), read whole or not at all, and each record by itself: one that can't be read, or
 * that speaks of a point which its sender may not speak of, keeps its number and becomes a sample of why. Refused as a whole
 * it would come again for ever, and everything behind it would wait. Pure. Throws EDW_ERR_BATCH for what no sender wrote.
 */
import {
  type BatchHead,
  batchHeadSchema,
  denyRecordSchema,
  lossCauses,
  MAX_BATCH_BYTES,
  MAX_BATCH_RECORDS,
  sampleOf,
  type UnparsedCause,
  unparsedCauses,
  type WireDenial,
  type WireLoss,
  type WireUnparsed,
} from '@edgeward/deny-log';
import { EdgewardError } from '@edgeward/runtime';
import * as z from 'zod';
import { type DenyEvent, receivedEventSchema } from '../deny-event.ts';
import { type GapCause, gapCauses } from '../host-record.ts';

export interface ReadBatch {
  head: BatchHead;
  records: BatchRecord[];
}

export type BatchRecord = { seq: number } & BatchContent;

type BatchContent = WireDenial | EventRecord | GapRecord | WireUnparsed | WireLoss;

/** Of a service, which has the labels. */
interface EventRecord {
  kind: 'event';
  event: DenyEvent;
}

interface GapRecord {
  kind: 'gap';
  cause: GapCause;
  count: number;
  windowStart: string;
  windowEnd: string;
}

/**
 * Of an event, which is stored as it comes: whoever reads a page of them has it in memory. It is what a line of a deny log may
 * have; a hundred workloads with their labels are far less.
 */
export const MAX_EVENT_BYTES: number = 64 * 1024;

/** As points are called in every configuration: sums, streams and tables are by this name. */
const POINT = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

const count = z.int().min(1);
const instant = z.iso.datetime({ precision: 3 });
/** Year 9999: what an ISO date can say in four digits. */
const MAX_TIME_MS = 253_402_300_799_999;

const content: z.ZodType<BatchContent> = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('denial'),
    denial: denyRecordSchema,
    count: count.optional(),
    firstMs: z.int().min(0).max(MAX_TIME_MS).optional(),
  }),
  z.object({ kind: z.literal('event'), event: receivedEventSchema }),
  z.object({ kind: z.literal('gap'), cause: z.enum(gapCauses), count, windowStart: instant, windowEnd: instant }),
  z.object({ kind: z.literal('unparsed'), cause: z.enum(unparsedCauses), sample: z.string().transform(sampleOf) }),
  z.object({
    kind: z.literal('loss'),
    cause: z.enum(lossCauses),
    inode: z.string().regex(/^\d{1,20}$/),
    offset: z.int().min(0),
  }),
]);

const numbered = z.object({ seq: z.int().min(1) });

/** Who sends, and how far he is believed. */
export interface Trust {
  sender: string;
  /** The points of which this sender tells. Its own is asked for only where it tells of a denial itself. */
  maySpeakOf(point: string): boolean;
  /** Whether it may bring whole events: names and labels are stored as it says then. */
  mayLabel: boolean;
}

export function readBatch(text: string, trust: Trust): ReadBatch {
  if (Buffer.byteLength(text) > MAX_BATCH_BYTES) throw unreadableBatch(`it has more than ${MAX_BATCH_BYTES} bytes`);
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  if (lines.length > MAX_BATCH_RECORDS + 1) throw unreadableBatch(`it has more than ${MAX_BATCH_RECORDS} records`);
  const head = batchHeadSchema.safeParse(valueIn(lines[0] ?? ''));
  if (!head.success) throw unreadableBatch(`its first line: ${wordsOf(head.error)}`);
  const records = lines.slice(1).map((line, at) => recordIn(line, at + 2, trust));
  checkOrder(head.data, records);
  return { head: head.data, records };
}

function recordIn(line: string, at: number, { sender, maySpeakOf, mayLabel }: Trust): BatchRecord {
  const value = valueIn(line);
  const number = numbered.safeParse(value);
  if (!number.success) throw unreadableBatch(`line ${at}: ${wordsOf(number.error)}`);
  const { seq } = number.data;
  const read = content.safeParse(value);
  if (!read.success) return { seq, ...sampled('no-record', line) };
  const isTaken = read.data.kind !== 'event' || (mayLabel && Buffer.byteLength(line) <= MAX_EVENT_BYTES);
  if (!isTaken) return { seq, ...sampled('no-record', line) };
  const point = pointOf(read.data, sender);
  return point === null || (POINT.test(point) && maySpeakOf(point))
    ? { seq, ...read.data }
    : { seq, ...sampled('other-point', line) };
}

function pointOf(record: BatchContent, sender: string): string | null {
  if (record.kind === 'event') return record.event.point;
  return record.kind === 'denial' ? sender : null;
}

function sampled(cause: UnparsedCause, line: string): WireUnparsed {
  return { kind: 'unparsed', cause, sample: sampleOf(line) };
}

function checkOrder({ first, last }: BatchHead, records: readonly BatchRecord[]): void {
  const [begin = last + 1, end = first - 1] = [records[0]?.seq, records.at(-1)?.seq];
  if (begin !== first || end !== last) throw unreadableBatch(`it has not the records ${first} to ${last} that it says`);
  const ascends = records.every(({ seq }, at) => at === 0 || (records[at - 1]?.seq ?? 0) < seq);
  if (!ascends) throw unreadableBatch('its records are not in ascending order');
}

/** Half of a character, or a NUL, can be escaped in JSON and kept by no store: both are replaced while it is read. */
function valueIn(line: string): unknown {
  try {
    return UNKEPT.test(line) ? JSON.parse(line, (_, value: unknown) => kept(value)) : JSON.parse(line);
  } catch {
    return undefined;
  }
}

const UNKEPT = /\\u(?:0000|d[89a-f])/i;

function kept(value: unknown): unknown {
  if (typeof value === 'string') return keptText(value);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [keptText(key), member]));
}

function keptText(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8').replaceAll('\0', '\u{fffd}');
}

function wordsOf({ issues }: z.ZodError): string {
  return issues
    .slice(0, 3)
    .map((issue) => `${issue.path.join('.') || 'it'}: ${issue.message}`)
    .join('; ')
    .slice(0, 300);
}

export function unreadableBatch(why: string): EdgewardError {
  return new EdgewardError('EDW_ERR_BATCH', `reading a batch of denials: ${why}`, {
    mend: 'Run the same version of Edgeward at both ends. The sender keeps its records meanwhile.',
  });
}
