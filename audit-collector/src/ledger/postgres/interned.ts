/**
 * Sets of labels and lists of names, each kept once: an event has their numbers. Each is marked with the last day of events
 * that names it, at most once a day, so that retention needs to look at no event.
 */
import type { DenyEvent } from '../../deny-event.ts';
import { labelText } from '../label-sets.ts';
import type { Interned } from './event-rows.ts';
import type { Asking } from './session.ts';
import { digestOf, storedText } from './stored-text.ts';

export interface Interning {
  /** Within a transaction, for events that are stored on that day (`2026-11-22`). */
  ofDay(asking: Asking, events: readonly DenyEvent[], day: string): Promise<Interned>;
  /** The transaction came to nothing, or somebody deleted some. */
  forget(): void;
}

const maxKept = 50_000;

export function interning(): Interning {
  const sets = numbersOf('label_sets', 'labels', 'text::jsonb');
  const lists = numbersOf('name_lists', 'names', 'ARRAY(SELECT jsonb_array_elements_text(text::jsonb))');
  return {
    async ofDay(asking, events, day) {
      await sets.number(
        asking,
        events.flatMap(({ sourceLabels, objectLabels }) => [labelsText(sourceLabels), labelsText(objectLabels)]),
        day,
      );
      await lists.number(
        asking,
        events.flatMap(({ sourceWorkloads, sourceNetworks }) => [
          namesText(sourceWorkloads),
          namesText(sourceNetworks),
        ]),
        day,
      );
      return {
        labels: (labels) => sets.of(labelsText(labels)),
        names: (names) => lists.of(namesText(names)),
      };
    },
    forget() {
      sets.forget();
      lists.forget();
    },
  };
}

/** What JSON escapes, or storing does. */
const unusual = /\\u|[\u2400\u241B]/;

/** Of a set as it is stored; the same for equal sets. */
export const labelsText = (labels: Record<string, string>): string =>
  toldOnce(labels, () => {
    const text = labelText(labels);
    return unusual.test(text) ? labelText(storedLabels(labels)) : text;
  });

export const storedLabels = (labels: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(labels).map(([key, value]) => [storedText(key), storedText(value)]));

const namesText = (names: readonly string[]): string =>
  toldOnce(names, () => {
    const text = JSON.stringify(names);
    return unusual.test(text) ? JSON.stringify(names.map(storedText)) : text;
  });

/** Asked four times for each event, by whoever stores it. */
const told = new WeakMap<object, string>();

function toldOnce(of: object, tell: () => string): string {
  const known = told.get(of);
  if (known !== undefined) return known;
  const text = tell();
  told.set(of, text);
  return text;
}

interface Numbers {
  number(asking: Asking, texts: readonly string[], day: string): Promise<void>;
  of(text: string): number;
  forget(): void;
}

function numbersOf(table: string, column: string, value: string): Numbers {
  const known = new Map<string, { id: number; day: string }>();
  const put = `INSERT INTO ${table} AS kept (digest, ${column}, last_day)
    SELECT decode(digest, 'hex'), ${value}, $3::date FROM unnest($1::text[], $2::text[]) AS given (digest, text)
    ON CONFLICT (digest) DO UPDATE SET last_day = greatest(kept.last_day, excluded.last_day)
    RETURNING id, encode(digest, 'hex') AS digest`;
  return {
    async number(asking, texts, day) {
      if (known.size > maxKept) known.clear();
      const unknown = [...new Set(texts)].filter((text) => (known.get(text)?.day ?? '') < day);
      if (unknown.length === 0) return;
      const byDigest = new Map(unknown.map((text) => [digestOf(text).toString('hex'), text]));
      const found = await asking.rows<{ id: number; digest: string }>(put, [[...byDigest.keys()], unknown, day]);
      for (const { id, digest } of found) known.set(byDigest.get(digest) ?? '', { id, day });
    },
    of(text) {
      const found = known.get(text);
      if (found === undefined) throw new Error(`nothing is known of ${text}`);
      return found.id;
    },
    forget: () => known.clear(),
  };
}
