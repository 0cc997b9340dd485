/**
 * Batches on their way to the thread of a ledger file. Copied as it is, an event has the names of its fields with it, and what
 * is answered would have all of it once more: that was a third of what storing one took. So events go as columns of values,
 * each set of labels once a batch, and come back as ids and places: whoever asked has the rest. Pure.
 */
import type { DenyEvent } from '../../deny-event.ts';
import { labelText } from '../label-sets.ts';
import type { LogBatchToStore, NumberedBatch, SpoolBatch, StoredDenial } from '../ledger.ts';
import { eventFields } from './event-rows.ts';

export type BatchToStore = LogBatchToStore | NumberedBatch | SpoolBatch;

export interface PassedBatch {
  /** As it was given, with its place in place of each event. */
  batch: unknown;
  /** Of each field its values by the place of the event; of labels and lists their place in `sets`. */
  columns: unknown[][];
  sets: unknown[];
}

/** Of what was stored: the ids, and the places of the events among those of the batch. */
interface PassedStored {
  ids: number[];
  places: number[];
}

/** `events` are those of the batch, in their order. */
export function passed(batch: BatchToStore): { message: PassedBatch; events: DenyEvent[] } {
  const events: DenyEvent[] = [];
  const places = changed<DenyEvent, number>(batch, (event) => events.push(event) - 1);
  const sets: unknown[] = [];
  const known = new Map<string, number>();
  const placeOf = (set: unknown, text: string): number => {
    const place = known.get(text) ?? sets.push(set) - 1;
    known.set(text, place);
    return place;
  };
  const columns = eventFields.map(({ key, kind }) => {
    if (kind === 'set') return events.map((event) => placeOf(event[key], labelText(event[key] as Labels)));
    if (kind === 'list') return events.map((event) => placeOf(event[key], JSON.stringify(event[key])));
    return events.map((event) => event[key]);
  });
  return { message: { batch: places, columns, sets }, events };
}

type Labels = Record<string, string>;

export function received({ batch, columns, sets }: PassedBatch): { batch: BatchToStore; events: DenyEvent[] } {
  const events: DenyEvent[] = (columns[0] ?? []).map(() => ({ ...blank }));
  for (const [at, { key, kind }] of eventFields.entries()) {
    const values = columns[at] ?? [];
    const isApart = kind === 'set' || kind === 'list';
    for (const [place, event] of events.entries())
      (event as unknown as Record<string, unknown>)[key] = isApart ? sets[Number(values[place])] : values[place];
  }
  const given = changed<number, DenyEvent>(batch as Batch<number>, (place) => events[place] as DenyEvent);
  return { batch: given as BatchToStore, events };
}

/** Every field has its place before its value comes: events have one shape, and the engine one way to them. */
const blank = Object.fromEntries([['v', 1], ...eventFields.map(({ key }) => [key, null])]) as unknown as DenyEvent;

/** What a commit answers, with its ids alone. */
export function passedAnswer(answer: Answer<readonly StoredDenial[]>, events: readonly DenyEvent[]): unknown {
  const places = new Map(events.map((event, place) => [event, place]));
  return answered<readonly StoredDenial[], PassedStored>(answer, (stored) => ({
    ids: stored.map(({ id }) => id),
    places: stored.map(({ event }) => places.get(event) ?? -1),
  }));
}

/** As `passedAnswer` was given it, with the events of whoever asked. */
export function receivedAnswer(answer: unknown, events: readonly DenyEvent[]): unknown {
  return answered<PassedStored, StoredDenial[]>(answer as Answer<PassedStored>, ({ ids, places }) =>
    places.map((place, at) => {
      const [id, event] = [ids[at], events[place]];
      if (id === undefined || event === undefined)
        throw new Error('the ledger answers of an event that nobody gave it');
      return { id, event };
    }),
  );
}

type Answer<Stored> = { result: Stored | { stored: Stored }; sums: unknown };

function answered<From extends object, To>({ result, sums }: Answer<From>, change: (stored: From) => To): Answer<To> {
  if ('stored' in result) return { result: { ...result, stored: change(result.stored) }, sums };
  return { result: change(result), sums };
}

type Batch<Event> =
  | { events: readonly Event[] }
  | { denials: readonly { number: unknown; event: Event | null }[] }
  | { records: readonly ({ seq: number } & ({ event: Event } | object))[] };

/** The same batch with another thing in place of each event. */
function changed<From, To>(batch: Batch<From>, change: (event: From) => To): Batch<To> {
  if ('events' in batch) return { ...batch, events: batch.events.map(change) };
  if ('denials' in batch) {
    const denials = batch.denials.map(({ number, event }) => ({
      number,
      event: event === null ? null : change(event),
    }));
    return { ...batch, denials };
  }
  const records = batch.records.map((record) =>
    'event' in record ? { seq: record.seq, event: change(record.event) } : record,
  );
  return { ...batch, records };
}
