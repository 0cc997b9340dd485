/**
 * One denial as a BIG-IP sends it: a syslog message whose element `edgeward@32473` numbers it and whose text is the
 * record. A message whose number can be read and whose record cannot still has its number: it shows as missing, not as a
 * hole that nobody can explain. Host and application in the header decide nothing.
 */
import { type DenyRecord, parseDenyLine, sampleOf, type Unparsed } from '@edgeward/deny-log';
import type { SequenceNumber } from './ledger/ledger.ts';
import type { Frame } from './syslog-framing.ts';
import { parseSyslog, type SyslogParameter } from './syslog-message.ts';

export interface DenyMessage {
  /** null where no number could be read. */
  number: SequenceNumber | null;
  /** null where `unparsed` says why. */
  record: DenyRecord | null;
  unparsed: Unparsed | null;
}

/** 32473 is the private enterprise number for documentation (RFC 5612). */
const elementId = 'edgeward@32473';
/** Three hundred years of a thousand denials a second; sums of them stay exact. */
const maxNumber = 1e13;
const maxTmm = 65_535;
const epochShape = /^[0-9A-Za-z._-]{1,32}$/;
const digits = /^(?:0|[1-9][0-9]{0,13})$/;

export function readDenyMessage(frame: Frame): DenyMessage {
  if (frame.kind !== 'message') return unread(frame.kind, frame.head);
  const { bytes } = frame;
  if (bytes.length === 0) return unread('empty', bytes);
  const message = parseSyslog(bytes);
  if (message === null) return unread('not-syslog', bytes);
  const element = message.elements.get(elementId);
  if (element === undefined) return unread('foreign', bytes);
  const number = numberOf(element);
  if (number === null) return unread('bad-sequence', bytes);
  const { records, unparsed } = parseDenyLine(message.body);
  const [record] = records;
  if (record !== undefined && records.length === 1 && unparsed === null) return { number, record, unparsed: null };
  // A number is one denial's: of a torn record and a whole one behind it nobody can tell whose it is.
  return { ...unread(unparsed?.cause ?? 'torn', bytes), number };
}

function unread(cause: Unparsed['cause'], bytes: Buffer): DenyMessage {
  return { number: null, record: null, unparsed: { cause, sample: sampleOf(bytes.toString('utf8', 0, 4_096)) } };
}

function numberOf(element: readonly SyslogParameter[]): SequenceNumber | null {
  const values = new Map(element);
  if (values.size !== element.length) return null;
  const epoch = values.get('epoch') ?? '';
  const tmm = countOf(values.get('tmm'), maxTmm);
  const seq = countOf(values.get('seq'), maxNumber);
  const suppressed = countOf(values.get('suppressed'), maxNumber);
  if (!epochShape.test(epoch) || tmm === null || seq === null || seq === 0 || suppressed === null) return null;
  return { tmm, epoch, seq, suppressed };
}

function countOf(text: string | undefined, max: number): number | null {
  const count = digits.test(text ?? '') ? Number(text) : Number.POSITIVE_INFINITY;
  return count <= max ? count : null;
}
