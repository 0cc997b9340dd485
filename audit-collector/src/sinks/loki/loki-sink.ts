/**
 * Pushes deny events to a Loki. An entry that Loki would not have at its own time is sent once more at the nearest time that it
 * would have, and says so; its own time stays in the line. What it refuses for another reason is counted, by reason; what it
 * can't take now is tried again. Never sent again as it was: entries that it has refused.
 */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Clock } from '@edgeward/runtime';
import type { HttpPush } from '../http-push.ts';
import { type NamedDenial, type Pushed, type Sink, sinkFailure } from '../sink.ts';
import { type LokiVerdict, type Refusal, understood } from './loki-answer.ts';
import { byTime, type ClampCause, entryOf, type LokiEntry, lineOf, streamOf, timestampOf } from './loki-entry.ts';

export interface LokiSinkOptions {
  /** Beside `job` and `point`. */
  labels: Record<string, string>;
  clock: Clock;
  /** Anew after every failure: files are read again. Rejects with an error that says which can't be. */
  connect(): Promise<HttpPush>;
}

/** Raw. Loki takes 4 MiB at once and 3 MB a second of a stream, what stands before it often 1 MiB. */
const MOST_BYTES = 512 * 1024;
/** Loki's limits are to the second, and the one for age moves on: a little later than it says. */
const MARGIN_MS = 60_000;
const compress = promisify(gzip);

export function lokiSink({ labels, clock, connect }: LokiSinkOptions): Sink {
  let connection: HttpPush | null = null;

  async function post(entries: readonly LokiEntry[], signal: AbortSignal): Promise<Settled> {
    const [first] = entries;
    if (first === undefined) return { state: 'stored' };
    const values = entries.map((entry) => [timestampOf(entry), lineOf(entry)]);
    const stream = streamOf(first.denial.event.point, labels);
    const body = await compress(JSON.stringify({ streams: [{ stream, values }] }), { level: 1 });
    try {
      connection ??= await connect();
      return settled(understood(await connection.post(body, signal), entries.length));
    } catch (thrown) {
      connection?.close();
      connection = null;
      throw thrown;
    }
  }

  async function push(entries: readonly LokiEntry[], signal: AbortSignal): Promise<Pushed> {
    const verdict = await post(entries, signal);
    if (verdict.state === 'unclear') return await pushHalves(entries, signal);
    if (verdict.state !== 'partial') return { sent: entries.length, rejected: {}, clamped: clampedOf(entries).length };
    const { clamped, rejected } = sorted(entries, verdict.refused, clock.now());
    const count = Object.values(rejected).reduce((sum, refused) => sum + refused, 0);
    const sent = entries.length - count - clamped.length;
    const isMoved = new Set(clamped.map(({ denial }) => denial));
    const atOther = Math.min(sent, clampedOf(entries).filter(({ denial }) => !isMoved.has(denial)).length);
    if (clamped.length === 0) return { sent, rejected, clamped: atOther };
    const again = await push(clamped, signal);
    return { sent: sent + again.sent, rejected: added(rejected, again.rejected), clamped: atOther + again.clamped };
  }

  /** Until it says of each what became of it; what it has stored already it takes for the same. */
  async function pushHalves(entries: readonly LokiEntry[], signal: AbortSignal): Promise<Pushed> {
    if (entries.length === 1) return { sent: 0, rejected: { other: 1 }, clamped: 0 };
    const middle = entries.length >> 1;
    const first = await push(entries.slice(0, middle), signal);
    const second = await push(entries.slice(middle), signal);
    return {
      sent: first.sent + second.sent,
      rejected: added(first.rejected, second.rejected),
      clamped: first.clamped + second.clamped,
    };
  }

  return {
    split: ({ denials }) =>
      byPoint(denials).flatMap((own) => bySize(own).map((part) => ({ denials: part, holes: [] }))),
    push: ({ denials }, signal) => push(denials.map((denial) => entryOf(denial, clock.now())).sort(byTime), signal),
    close: () => connection?.close(),
  };
}

const clampedOf = (entries: readonly LokiEntry[]): LokiEntry[] => entries.filter(({ clamped }) => clamped !== null);

type Settled = Extract<LokiVerdict, { state: 'stored' | 'partial' | 'unclear' }>;

/** Throws what is to be tried again. */
function settled(verdict: LokiVerdict): Settled {
  if (verdict.state === 'stored' || verdict.state === 'partial' || verdict.state === 'unclear') return verdict;
  const message = `pushing to Loki: it answered ${verdict.words}`;
  throw sinkFailure(verdict.state, message, verdict.state === 'busy' ? { retryAfterMs: verdict.retryAfterMs } : {});
}

interface Sorted {
  /** To be sent again, at another time. */
  clamped: LokiEntry[];
  rejected: Pushed['rejected'];
}

/** Which entries were refused: by place, as they were sent in the order of time. */
function sorted(entries: readonly LokiEntry[], refusals: readonly Refusal[], nowMs: number): Sorted {
  const result: Sorted = { clamped: [], rejected: {} };
  for (const { reason, count, oldestMs } of refusals) {
    const timeMs = reason === 'too-new' ? nowMs : oldestMs === null ? null : Math.min(nowMs, oldestMs + MARGIN_MS);
    const ofThem = reason === 'too-new' ? entries.slice(-count) : entries.slice(0, count);
    const isTimely = reason !== 'too-long' && reason !== 'other' && timeMs !== null;
    if (!isTimely || ofThem.some(({ moves }) => moves >= MOST_MOVES)) {
      result.rejected = added(result.rejected, { [reason]: count });
    } else result.clamped.push(...ofThem.map((entry) => moved(entry, timeMs, reason)));
  }
  result.clamped.sort(byTime);
  return result;
}

/** What is too old may then be too far behind its stream; a third time is no use. */
const MOST_MOVES = 2;

function moved({ denial, clamped, moves }: LokiEntry, timeMs: number, cause: ClampCause): LokiEntry {
  return { denial, timeMs, clamped: clamped ?? cause, moves: moves + 1 };
}

function added(a: Pushed['rejected'], b: Pushed['rejected']): Pushed['rejected'] {
  const sum = { ...a };
  for (const [reason, count] of Object.entries(b) as [keyof typeof b, number][])
    sum[reason] = (sum[reason] ?? 0) + count;
  return sum;
}

function byPoint(denials: readonly NamedDenial[]): NamedDenial[][] {
  const points = new Map<string, NamedDenial[]>();
  for (const denial of denials) {
    const own = points.get(denial.event.point);
    if (own === undefined) points.set(denial.event.point, [denial]);
    else own.push(denial);
  }
  return [...points.values()];
}

function bySize(denials: readonly NamedDenial[]): NamedDenial[][] {
  const parts: NamedDenial[][] = [];
  let room = 0;
  for (const denial of denials) {
    const bytes = Buffer.byteLength(JSON.stringify(denial));
    if (bytes > room || parts.length === 0) {
      parts.push([]);
      room = MOST_BYTES;
    }
    parts.at(-1)?.push(denial);
    room -= bytes;
  }
  return parts;
}
