import type { Interval } from '@edgeward/policy';
import { covers, isWithin, joined, overlaps } from './address-sets.ts';
import { isLater } from './document-risks.ts';
import { type FenceBook, fenceBook, labelsIn } from './fences.ts';
import type { Opening } from './openings.ts';
import { coversPorts } from './port-sets.ts';

/** What an object let in before, to hold new openings against. Thousands may be: what one question needs is kept. */
export interface EarlierOpenings {
  /** Whether all of it was let in on these ports, with no condition that is gone, for as long. */
  isOpened(it: Opening): boolean;
  /** Whether its addresses were let in for as long, on whatever port. */
  isHeld(it: Opening): boolean;
  /** By addresses alone. */
  overlaps(it: Opening): boolean;
  /** Fences that last as long. */
  fencesFor(it: Opening): FenceBook;
}

export function earlierOpenings(had: readonly Opening[]): EarlierOpenings {
  const openedBy = new Map<string, Held>();
  const heldUntil = new Map<number | null, Held>();
  const booksUntil = new Map<number | null, FenceBook>();
  const lasting = (it: Opening): Opening[] => had.filter((other) => !isLater(other.endsMs, it.endsMs));
  return {
    isOpened: (it) =>
      isIn(
        it,
        known(openedBy, `${it.endsMs} ${it.portsText} ${it.http}`, () => held(lasting(it).filter(isAsFree(it)))),
      ),
    isHeld: (it) =>
      isIn(
        it,
        known(heldUntil, it.endsMs, () => held(lasting(it))),
      ),
    overlaps: (it) => had.some((other) => overlaps(other.addresses, it.addresses)),
    fencesFor: (it) => known(booksUntil, it.endsMs, () => fenceBook(labelsIn(lasting(it).map(({ term }) => term)))),
  };
}

function isAsFree(it: Opening): (other: Opening) => boolean {
  return (other) => (other.http === null || other.http === it.http) && coversPorts(other.ports, it.ports);
}

function known<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const value = map.get(key) ?? make();
  map.set(key, value);
  return value;
}

interface Held {
  whole: readonly Interval[];
  /** Networks, which have exceptions. */
  holed: Map<string, Opening>;
}

function held(openings: readonly Opening[]): Held {
  const whole = openings.filter(({ except }) => except.length === 0);
  const holed = openings.filter(({ except }) => except.length > 0);
  return {
    whole: joined(whole.flatMap((it) => it.addresses)),
    holed: new Map(holed.map((it) => [it.spelling, it])),
  };
}

/** Exceptions of a network are taken back by the same network alone: others with some near are not counted. */
function isIn(it: Opening, { whole, holed }: Held): boolean {
  if (isWithin(it.addresses, whole)) return true;
  const same = holed.get(it.spelling);
  if (same !== undefined && covers(same.addresses, it.addresses)) return true;
  const beside = [...holed.values()].filter((other) => !overlaps(other.except, it.addresses));
  return beside.length > 0 && covers([...whole, ...beside.flatMap((other) => other.addresses)], it.addresses);
}
