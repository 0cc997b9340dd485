/**
 * One line of the deny log that NGINX writes: one JSON object a line, by our njs module; BIG-IP sends the same object by
 * syslog. What a client sent stands in it escaped, yet nothing is believed before it was checked: a line gives a record,
 * or the cause why not with a sample of it, or both where a line was torn and a whole record follows in it.
 */
import { isIP } from 'node:net';
import * as z from 'zod';
import { type DenyReason, type DenyVerdict, denyReasons } from './deny-reasons.ts';

/** As the point wrote it. `t` is in milliseconds since the epoch; `object` is what the point calls it, or ''. */
export interface DenyRecord {
  v: 1;
  t: number;
  ref: string | null;
  object: string;
  /** null, or `unix:`, where the peer has no address. */
  source: string | null;
  peer: string | null;
  peerPort: number | null;
  port: string;
  method: string | null;
  path: string | null;
  truncated: boolean;
  host: string | null;
  verdict: DenyVerdict;
  reason: DenyReason;
  rule: string | null;
  revision: number;
  /** Of a flood: so many equal ones, in a window that begins at `firstMs` and ends at `t`. One at `t` without them. */
  count?: number | undefined;
  firstMs?: number | undefined;
}

export type UnparsedCause = (typeof unparsedCauses)[number];

export const unparsedCauses = [
  'empty',
  'too-long',
  'not-json',
  'torn',
  'wrong-version',
  'wrong-shape',
  // Of messages to a listener: no syslog; syslog, but not ours; ours, but without a usable number.
  'not-syslog',
  'foreign',
  'bad-sequence',
  // Of batches: not a record that is known here; about a point that is not the sender's to speak of.
  'no-record',
  'other-point',
] as const;

export interface Unparsed {
  cause: UnparsedCause;
  /** The line's first kilobyte. */
  sample: string;
}

export interface ParsedLine {
  /** One, unless the line could not be read, or newlines were lost in it. */
  records: DenyRecord[];
  unparsed: Unparsed | null;
}

export const maxLineBytes = 65_536;
const sampleChars = 1024;
/** Year 9999: what an ISO date can say in four digits. */
const maxTimeMs = 253_402_300_799_999;
/** A quote inside a JSON string is escaped, so a client cannot write this: it begins a record. */
const recordStart = '{"v":1,';

const address = z.string().refine((text) => text === 'unix:' || isIP(text) !== 0);
// A lone surrogate, which JSON can escape, has no UTF-8: it is replaced here and not differently by each store.
const wellFormed = (text: string): string => (SURROGATE.test(text) ? Buffer.from(text, 'utf8').toString('utf8') : text);
const SURROGATE = /[\ud800-\udfff]/;
const text = z.string().transform(wellFormed);
const name = z.string().max(1024).transform(wellFormed);
// NGINX without njs can't write null in place of a text: it writes none.
const orNone = (text: string | null): string | null => (text === '' ? null : text);

export const denyRecordSchema: z.ZodType<DenyRecord> = z.object({
  v: z.literal(1),
  t: z.int().min(0).max(maxTimeMs),
  ref: name.nullable(),
  object: name,
  source: address.nullable(),
  peer: address.nullable(),
  peerPort: z.int().min(0).max(65535).nullable(),
  // A wrong `$edgeward_port`, or a unix socket's none, is why it was denied: no reason to lose it.
  port: z
    .string()
    .regex(/^(?:tcp|udp)\/.{0,64}$/s)
    .transform(wellFormed),
  method: text.nullable(),
  path: text.nullable(),
  truncated: z.boolean(),
  host: text.nullable().transform(orNone),
  verdict: z.enum(['deny', 'would-deny']),
  reason: z.enum(denyReasons),
  rule: name.nullable().transform(orNone),
  revision: z.int().min(0),
  count: z.int().min(1).optional(),
  firstMs: z.int().min(0).max(maxTimeMs).optional(),
});

/** `line` is without its newline. Bad UTF-8 is replaced, so that a denial is not lost over a byte of its path. */
export function parseDenyLine(line: Buffer): ParsedLine {
  const text = line.toString('utf8');
  if (line.length > maxLineBytes) return refused('too-long', text);
  if (text.trim() === '') return refused('empty', text);
  const value = parseJson(text);
  return value === undefined ? rescue(text) : judge(value, text);
}

/** A writer that died half-way left no newline, and the next record stands in the same line: that one is whole. */
function rescue(text: string): ParsedLine {
  const pieces = text.split(recordStart).map((rest, index) => (index === 0 ? rest : recordStart + rest));
  const parsed = pieces.filter((piece) => piece !== '').map((piece) => judge(parseJson(piece), piece));
  const records = parsed.flatMap((piece) => piece.records);
  if (records.length === parsed.length) return { records, unparsed: null };
  const cause = records.length > 0 || text.startsWith('{') ? 'torn' : 'not-json';
  return { records, unparsed: { cause, sample: sampleOf(text) } };
}

function judge(value: unknown, text: string): ParsedLine {
  const parsed = denyRecordSchema.safeParse(value);
  if (parsed.success) return { records: [parsed.data], unparsed: null };
  const versioned = typeof value === 'object' && value !== null && 'v' in value && Number.isInteger(value.v);
  return refused(versioned && value.v !== 1 ? 'wrong-version' : 'wrong-shape', text);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const sampleOf = (line: string): string => wellFormed(line.slice(0, sampleChars));
const refused = (cause: UnparsedCause, text: string): ParsedLine => ({
  records: [],
  unparsed: { cause, sample: sampleOf(text) },
});
