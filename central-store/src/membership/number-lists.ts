import { createColumn } from './column.ts';

/**
 * A short list of numbers for each place, made for lists that nearly all have one entry: those cost four bytes. Entries
 * are different, and in no order.
 */
export interface NumberLists {
  of(place: number): readonly number[];
  isEmpty(place: number): boolean;
  add(place: number, entry: number): void;
  remove(place: number, entry: number): void;
}

export function createNumberLists(): NumberLists {
  /** One more than the entry; 0: none, or there are several. */
  const only = createColumn();
  const several = new Map<number, number[]>();
  const of = (place: number): readonly number[] => {
    const one = only.at(place);
    return one > 0 ? [one - 1] : (several.get(place) ?? []);
  };
  const keep = (place: number, list: number[]): void => {
    if (list.length > 1) several.set(place, list);
    else several.delete(place);
    only.put(place, list.length === 1 ? (list[0] as number) + 1 : 0);
  };
  return {
    of,
    isEmpty: (place) => only.at(place) === 0 && !several.has(place),
    add: (place, entry) => keep(place, [...of(place), entry]),
    remove: (place, entry) => {
      keep(
        place,
        of(place).filter((it) => it !== entry),
      );
    },
  };
}
