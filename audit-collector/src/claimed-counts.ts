/**
 * How many denials a sender may claim. A record may stand for many, and sums are kept for ever and exact up to 2^53: whoever
 * has a stolen key, or writes into a log, could make those of his point worthless with a few lines. So each is kept to what
 * the fastest link brings, with a thousand thousand million on top, for what was held back somewhere. What is beyond that is
 * not believed: its record becomes a sample of what could not be read, and counts as one.
 */

/** Whether so many more are believed of this sender. */
export type ClaimedCounts = (sender: string, count: number) => boolean;

/** The smallest frames at 100 Gbit/s: 84 bytes each on the wire (IEEE 802.3) are 148.8 million a second. */
const MOST_PER_SECOND = 150_000_000;
export const MOST_AT_ONCE = 1e12;

/** `now` in milliseconds. A clock that is set back takes nothing away. */
export function claimedCounts(now: () => number): ClaimedCounts {
  const accounts = new Map<string, { left: number; atMs: number }>();
  return (sender, count) => {
    // A record of one claims nothing: how many of them come is bounded elsewhere.
    if (count === 1) return true;
    const nowMs = now();
    const { left, atMs } = accounts.get(sender) ?? { left: MOST_AT_ONCE, atMs: nowMs };
    const grown = Math.min(MOST_AT_ONCE, left + (Math.max(0, nowMs - atMs) / 1000) * MOST_PER_SECOND);
    const isBelieved = count <= grown;
    accounts.set(sender, { left: isBelieved ? grown - count : grown, atMs: nowMs });
    return isBelieved;
  };
}
