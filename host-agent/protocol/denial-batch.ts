import { parseAddress, parsePort, type Reason } from '@edgeward/policy';
import { EdgewardError } from '@edgeward/runtime';
import * as z from 'zod';
import { countField, instantField, nameField, readAs, valueIn, wordsField } from './fields.ts';

/**
 * Denials of a host on their way to its service: NDJSON, a first line `{ v, epoch, first }`, then one record a line in
 * ascending order. A sequence number stands for the same record for as long as the spool of this epoch lives, so a batch
 * may be sent twice and each record still counts once.
 */
export type HostRecord = HostDenial | HostGap;

export type DenyReason = Exclude<Reason, 'mode-off' | 'failsafe' | 'allowed-by-rule'>;

export interface HostDenial {
  seq: number;
  kind: 'denial';
  windowStart: string;
  windowEnd: string;
  count: number;
  object: string;
  source: string;
  sourcePort: number | null;
  /** `tcp/22` */
  port: string;
  verdict: 'deny' | 'would-deny';
  reason: DenyReason;
  rule: string | null;
  revision: number;
  nearestRule: string | null;
  missed: string | null;
}

/** So many denials happened of which nothing more is known, and why. */
export interface HostGap {
  seq: number;
  kind: 'gap';
  windowStart: string;
  windowEnd: string;
  cause: GapCause;
  count: number;
}

export type GapCause = (typeof GAP_CAUSES)[number];

export const GAP_CAUSES = ['not-sampled', 'spool-full', 'netlink', 'unreadable', 'not-judged'] as const;

export interface DenialBatch {
  /** 32 hex digits, one for each spool. */
  epoch: string;
  records: HostRecord[];
}

/** What the service answers: everything up to `acknowledged` is stored and need not be sent again. */
export interface DenialAnswer {
  epoch: string;
  acknowledged: number;
}

export const MAX_BATCH_RECORDS = 1_000;
export const MAX_BATCH_BYTES: number = 1024 * 1024;

const REASONS: readonly [DenyReason, ...DenyReason[]] = [
  'no-policy',
  'unknown-object',
  'unknown-source',
  'port-not-allowed',
  'denied-by-rule',
  'bad-request',
  'request-not-allowed',
  'internal-error',
];

const epochField = z.string().regex(/^[0-9a-f]{32}$/, 'is no epoch: 32 hex digits');
const seqField = z.int().min(1);

const common = { seq: seqField, windowStart: instantField, windowEnd: instantField, count: z.int().min(1) };

const denial: z.ZodType<HostDenial> = z.object({
  ...common,
  kind: z.literal('denial'),
  object: nameField,
  source: z.string().refine((text) => parseAddress(text) !== null, 'is no address'),
  sourcePort: z.int().min(0).max(65_535).nullable(),
  port: z.string().refine((text) => parsePort(text) !== null, 'is no port'),
  verdict: z.enum(['deny', 'would-deny']),
  reason: z.enum(REASONS),
  rule: nameField.nullable(),
  revision: countField,
  nearestRule: nameField.nullable(),
  missed: wordsField(500).nullable(),
});

const gap: z.ZodType<HostGap> = z.object({ ...common, kind: z.literal('gap'), cause: z.enum(GAP_CAUSES) });

const record: z.ZodType<HostRecord> = z.union([denial, gap]);

/** What is left of a record that another version wrote: its number, and as much as can be read of when and how often. */
const numberedLine = z.object({
  seq: seqField,
  windowStart: instantField.nullable().catch(null),
  windowEnd: instantField.nullable().catch(null),
  count: common.count.catch(1),
});

interface BatchHead {
  v: 1;
  epoch: string;
  first: number;
}

const batchHead: z.ZodType<BatchHead> = z.object({ v: z.literal(1), epoch: epochField, first: seqField });

export const denialAnswerSchema: z.ZodType<DenialAnswer> = z.object({ epoch: epochField, acknowledged: countField });

export function formatDenialBatch({ epoch, records }: DenialBatch): string {
  const head: BatchHead = { v: 1, epoch, first: records[0]?.seq ?? 1 };
  return `${[head, ...records].map((line) => JSON.stringify(line)).join('\n')}\n`;
}

/**
 * A window that ends before it begins is no fault: a clock was set back. A record that has a number and is not understood
 * becomes a gap with that number and its count: refused, it would come again for ever, and everything after it would wait.
 * Throws EDW_ERR_HOST_BATCH for what no spool wrote. `takenAtMs` is the time of what does not say its own.
 */
export function parseDenialBatch(text: string, takenAtMs: number = Date.now()): DenialBatch {
  if (Buffer.byteLength(text) > MAX_BATCH_BYTES) throw refused(`it has more than ${MAX_BATCH_BYTES} bytes`);
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  if (lines.length > MAX_BATCH_RECORDS + 1) throw refused(`it has more than ${MAX_BATCH_RECORDS} records`);
  const head = lineAs(batchHead, lines[0] ?? '', 1);
  const records = lines.slice(1).map((line, at) => recordIn(line, at + 2, takenAtMs));
  checkOrder(head, records);
  return { epoch: head.epoch, records };
}

function checkOrder(head: BatchHead, records: readonly HostRecord[]): void {
  if (records[0] !== undefined && records[0].seq !== head.first) throw refused('it does not begin where it says');
  const ascends = records.every((it, at) => at === 0 || (records[at - 1]?.seq ?? 0) < it.seq);
  if (!ascends) throw refused('its records are not in ascending order');
}

function recordIn(line: string, at: number, takenAtMs: number): HostRecord {
  const read = record.safeParse(valueIn(line));
  if (read.success) return read.data;
  const { seq, windowStart, windowEnd, count } = lineAs(numberedLine, line, at);
  const takenAt = new Date(takenAtMs).toISOString();
  const window = { windowStart: windowStart ?? windowEnd ?? takenAt, windowEnd: windowEnd ?? windowStart ?? takenAt };
  return { seq, kind: 'gap', ...window, cause: 'unreadable', count };
}

const MEND = 'Run the same version of Edgeward at the service and on the host. The host keeps its records meanwhile.';

function lineAs<Value>(schema: z.ZodType<Value>, line: string, at: number): Value {
  return readAs(schema, valueIn(line), {
    code: 'EDW_ERR_HOST_BATCH',
    what: `line ${at} of denials of a host`,
    mend: MEND,
  });
}

function refused(why: string): EdgewardError {
  return new EdgewardError('EDW_ERR_HOST_BATCH', `reading denials of a host: ${why}`, { mend: MEND });
}
