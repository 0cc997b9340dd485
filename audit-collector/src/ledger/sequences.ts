/**
 * Which numbers of a sender a ledger has. A sender counts 1, 2, 3 … in each of its lives (epochs); a number is taken once,
 * whatever comes twice, late or after a restart of ours. A hole is a gap from the moment that a higher number is taken; a
 * late one fills it. Gaps are ranges, so that no number, however large, costs more than a row. Pure: a ledger holds the rows.
 *
 * For every sequence: highest = stored + missing, and what its sender observed is stored + missing + suppressed.
 */
import type { NumberedResult, SequenceNumber } from './ledger.ts';

/** A TMM begins a new one at each restart and each load of its rules. The one heard least lately is kept as a sum. */
export const maxSequences = 4_096;

export interface NumberToTake {
  number: SequenceNumber;
  /** false: it was sent, but what it numbers could not be read. It is missing then. */
  readable: boolean;
}

export interface Taken extends Omit<NumberedResult, 'stored'> {
  /** By place in what was given: is to be stored. */
  accepted: boolean[];
}

export interface Sequence {
  highest: number;
  stored: number;
  suppressed: number;
}

export const emptySequence: Sequence = { highest: 0, stored: 0, suppressed: 0 };

/** The gaps of one sequence. */
export interface GapRanges {
  /** Above every other; it joins the one that it follows. */
  add(first: number, last: number): void;
  /** Takes the number out of its gap; false: it is in none. */
  fill(seq: number): boolean;
}

export type NumberEntry = NumberToTake & { place: number };

export const nothingTaken = (count: number): Taken => ({
  accepted: Array.from({ length: count }, () => false),
  ...{ missing: 0, late: 0, repeated: 0, suppressed: 0 },
});

/** Each sequence of a batch by itself. */
export function bySequence(numbers: readonly NumberToTake[]): [NumberEntry, ...NumberEntry[]][] {
  const sequences = new Map<string, [NumberEntry, ...NumberEntry[]]>();
  for (const [place, given] of numbers.entries()) {
    const entry = { ...given, place };
    const key = `${entry.number.tmm} ${entry.number.epoch}`;
    const own = sequences.get(key);
    if (own === undefined) sequences.set(key, [entry]);
    else own.push(entry);
  }
  return [...sequences.values()];
}

/** Takes what is of one sequence: adds to `taken` and answers with the sequence as it is then. */
export function takeNumbers(known: Sequence, entries: readonly NumberEntry[], gaps: GapRanges, taken: Taken): Sequence {
  const sequence = { ...known };
  // In ascending order, so that numbers that only overtook each other on their way make no gap.
  for (const { place, readable, number } of entries.toSorted(bySeq)) {
    const { seq } = number;
    if (seq > sequence.highest) {
      const last = readable ? seq - 1 : seq;
      if (last > sequence.highest) gaps.add(sequence.highest + 1, last);
      taken.missing += last - sequence.highest;
      sequence.highest = seq;
      taken.accepted[place] = readable;
    } else if (readable && gaps.fill(seq)) {
      taken.late += 1;
      taken.accepted[place] = true;
    } else if (readable) taken.repeated += 1;
    if (taken.accepted[place]) sequence.stored += 1;
    taken.suppressed += Math.max(0, number.suppressed - sequence.suppressed);
    sequence.suppressed = Math.max(number.suppressed, sequence.suppressed);
  }
  return sequence;
}

/** Of two with one number, the one that can be read comes first. */
const bySeq = (a: NumberEntry, b: NumberEntry): number =>
  a.number.seq - b.number.seq || Number(b.readable) - Number(a.readable);
