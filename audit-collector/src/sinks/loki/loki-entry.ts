/**
 * A deny event as a line of Loki. The whole event is in the line, and so is its uid: two entries with one timestamp and one
 * line are one to Loki, and what differs beside the line makes no difference to it. The timestamp is the time of the event, and
 * the last six digits of its nanoseconds are its id: unique within its millisecond and the same when it is sent again.
 */
import type { DenyEvent } from '../../deny-event.ts';
import type { NamedDenial, Rejection } from '../sink.ts';

export interface LokiEntry {
  denial: NamedDenial;
  /** Milliseconds since the epoch: its own time, or the one that it was clamped to. */
  timeMs: number;
  /** Why it is not its own time, and how often it was moved. */
  clamped: ClampCause | null;
  moves: number;
}

export type ClampCause = Exclude<Rejection, 'too-long' | 'other'>;

/** Nanoseconds of 64 bits end in 1677 and 2262. With a timestamp beyond, Loki can read nothing of the push. */
const MOST_MS = 9_223_372_036_000;

/** An event has the time that a point, or whoever has its key, gave it: what Loki can't read stands at the time of now. */
export function entryOf(denial: NamedDenial, nowMs: number): LokiEntry {
  const timeMs = Date.parse(denial.event.time);
  if (Math.abs(timeMs) <= MOST_MS) return { denial, timeMs, clamped: null, moves: 0 };
  return { denial, timeMs: nowMs, clamped: timeMs < 0 ? 'too-old' : 'too-new', moves: 1 };
}

/** Oldest first, as Loki wants them; of one time, in the order of their storing. */
export const byTime = (a: LokiEntry, b: LokiEntry): number => a.timeMs - b.timeMs || a.denial.id - b.denial.id;

/** Nanoseconds, decimal: they fit no number. */
export function timestampOf({ timeMs, denial }: LokiEntry): string {
  return `${BigInt(timeMs) * 1_000_000n + BigInt(denial.id % 1_000_000)}`;
}

/** What `| json` of LogQL reads. */
export interface LokiLine extends DenyEvent {
  /** Names the event for ever: the epoch of the ledger's life, and the number in it. */
  uid: string;
  id: number;
  /** The entry stands at another time than `time`, because Loki would not have it there. */
  clamped?: ClampCause;
}

export function lineOf({ denial, clamped }: LokiEntry): string {
  const { id, event, name } = denial;
  const line: LokiLine = { uid: `${name.epoch}/${name.seq}`, id, ...(clamped === null ? {} : { clamped }), ...event };
  return JSON.stringify(line);
}

const mostValue = 128;

/** One stream for each point: within a stream Loki keeps order, and counts what it refuses. */
export function streamOf(point: string, labels: Record<string, string>): Record<string, string> {
  return { ...labels, job: 'edgeward', point: point.slice(0, mostValue) };
}
