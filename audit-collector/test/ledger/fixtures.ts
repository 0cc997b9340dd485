/** What the tests of ledgers share: events, batches, and a ledger that can be opened again and again. */
import type { DenyRecord, FileCursor } from '@edgeward/deny-log';
import type { Test } from 'tap';
import { type DenyEvent, denyEvent } from '../../src/deny-event.ts';
import type { Ledger, LogBatchToStore, NumberedDenial, NumberedResult, Retention } from '../../src/ledger/ledger.ts';
import { denyRecord, labels, type Numbering, t0 } from '../kit.ts';

/** Rollups are kept. */
export const eventsBefore = (eventsBeforeMs: number): Retention => ({ eventsBeforeMs, rollupsBeforeMs: 0 });

/** A ledger of its own for each test; whatever is opened is the same one, and is closed at the end of the test. */
export type MakeLedger = ((t: Test) => { open(): Promise<Ledger> }) & {
  /** How often a property is tried, where a ledger costs much; 60 unless told. */
  runs?: number;
};

export const eventOf = (record: Partial<DenyRecord>, point = 'edge-1'): DenyEvent =>
  denyEvent(denyRecord(record), point, labels);

export const cursorAt = (offset: number, overrides: Partial<FileCursor> = {}): FileCursor => ({
  dev: '1',
  inode: '18446744073709551615',
  offset,
  headLength: 10,
  headCrc: 0xffffffff,
  skipping: false,
  state: 'reading',
  ...overrides,
});

export const batchOf = (events: DenyEvent[], more: Partial<LogBatchToStore> = {}): LogBatchToStore => ({
  point: 'edge-1',
  log: '/deny.log',
  storedMs: t0,
  events,
  unparsed: [],
  cursors: [],
  losses: [],
  ...more,
});

export const numbered = (numbering: Numbering, readable = true): NumberedDenial => {
  const { tmm = 0, epoch = 'e1', seq, suppressed = 0 } = numbering;
  const number = { tmm: Number(tmm), epoch, seq: Number(seq), suppressed: Number(suppressed) };
  return { number, event: readable ? eventOf({ ref: `${tmm}/${epoch}/${seq}` }, 'big-1') : null };
};

export const storeNumbers = (
  ledger: Ledger,
  denials: NumberedDenial[],
  storedMs: number = t0,
): Promise<NumberedResult> => ledger.storeNumbered({ point: 'big-1', log: 'syslog', storedMs, denials, unparsed: [] });

export const rangesIn = async (ledger: Ledger): Promise<string[]> =>
  (await ledger.gaps('big-1')).map(({ tmm, epoch, first, last }) => `${tmm}/${epoch}/${first}-${last}`).toSorted();

export const refsIn = async (ledger: Ledger): Promise<(string | null)[]> =>
  (await ledger.denials({ limit: 10_000 })).map(({ event }) => event.ref);
