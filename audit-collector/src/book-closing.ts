/**
 * Says when the books of a point are to be settled. A point counts a denial before it writes its line, so what its counter
 * said, less what is here once everything was read that was written by then, is in no line: as long as nothing is late. So it has
 * to be seen twice, ten seconds apart. And what was here at the last reading and is not in this one was never counted.
 * While denials go on, some come between a reading and the look at the ledger: fewer are found then, and never more than there
 * are; what is left is found in the next pause of a moment. Pure: whoever calls brings the time, and does what is said.
 */

interface CounterReading {
  /** The life of the point. */
  epoch: string | null;
  /** Denials over all its lives, with those that were never counted. */
  counted: number;
  /** Of these, folded: they wait at the point for the line that tells their number. */
  waiting: number;
  /** Denials of it that are stored, or a gap with a cause. */
  here: number;
  atMs: number;
}

interface LedgerLook {
  /** As in a reading; asked only where there is one to compare it with. */
  here: () => number;
  /** Whatever was written by then is stored. */
  readUpToMs: number;
  atMs: number;
}

/** As a ledger settles it. */
export interface ToSettle {
  epoch: string | null;
  left: number;
  seenMs: number;
}

export interface BookClosing {
  /** After the reading was stored. */
  read(reading: CounterReading): ToSettle | null;
  /** At any time: the more often, the sooner it is found. */
  look(look: LedgerLook): ToSettle | null;
  /** It was done: what was seen before says nothing any more. */
  settled(): void;
  /** When it was last seen that nothing is missing of what had been counted; null: not since then. */
  closedMs(): number | null;
}

/** A line is written in the same breath as it is counted; a disk may hold its writer up. */
const STANDS_MS = 10_000;
/** A reading comes every 2 s: what has to be kept of those that nobody could compare yet. */
const MOST_READINGS = 32;

interface Found {
  left: number;
  atMs: number;
}

export function createBookClosing(): BookClosing {
  let last: CounterReading | null = null;
  let readings: CounterReading[] = [];
  /** What was found lately, oldest first, and the most that was found before. */
  let lately: Found[] = [];
  let standing: Found | null = null;
  let closedMs: number | null = null;

  function forget(): void {
    [last, readings, lately, standing] = [null, [], [], null];
  }

  function age(nowMs: number): void {
    const old = lately.filter(({ atMs }) => nowMs - atMs >= STANDS_MS);
    for (const found of old) if (standing === null || found.left > standing.left) standing = found;
    lately = lately.slice(old.length);
  }

  /** Of a life that is over nothing can be late: what two looks agree on is missing. */
  function leftBehind(): ToSettle | null {
    const [earlier, later] = [lately.at(-2) ?? standing, lately.at(-1)];
    if (last === null || earlier === null || later === undefined) return null;
    const left = Math.min(earlier.left, later.left);
    return left > 0 ? { epoch: last.epoch, left, seenMs: later.atMs } : null;
  }

  return {
    read(reading) {
      const before = last;
      if (before !== null && before.epoch !== reading.epoch) {
        const left = leftBehind();
        forget();
        last = reading;
        readings = [reading];
        return left;
      }
      last = reading;
      readings = [...readings.slice(1 - MOST_READINGS), reading];
      const beyond = before === null ? 0 : before.here - reading.counted;
      return beyond > 0 ? { epoch: reading.epoch, left: -beyond, seenMs: reading.atMs } : null;
    },
    look({ here, readUpToMs, atMs }) {
      const reading = readings.findLast((it) => it.atMs <= readUpToMs);
      if (reading === undefined) return null;
      readings = readings.filter((it) => it.atMs > readUpToMs);
      const left = reading.counted - reading.waiting - here();
      if (left === 0) closedMs = reading.atMs;
      age(atMs);
      lately = [...lately, { left, atMs: reading.atMs }];
      const sure = Math.min(left, standing?.left ?? 0);
      return sure > 0 ? { epoch: reading.epoch, left: sure, seenMs: standing?.atMs ?? reading.atMs } : null;
    },
    settled: forget,
    closedMs: () => closedMs,
  };
}
