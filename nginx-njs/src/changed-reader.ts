import { changedBucket, slotKey, slotOf } from './layout.ts';
import type { Zone } from './zone-life.ts';

/** Reads the buckets of a table that a delta changes: one read a bucket, and one more where the delta touches its slot. */
export function changedReader(
  zone: Zone,
  content: string,
  delta: string,
  slots: string,
): (bucket: string) => string | undefined {
  return (bucket) => {
    const slot = slotOf(bucket);
    if (slots.charAt(parseInt(slot, 16)) === '0') return zone.get(content + bucket);
    const changes = zone.get(slotKey(delta, slot));
    // What it took away would be back if the table answered in its place.
    if (changes === undefined) throw new Error(`slot ${slot} of the delta ${delta} is not in the zone`);
    const value = changedBucket(changes, bucket);
    if (value === null) return zone.get(content + bucket);
    return value === '' ? undefined : value;
  };
}
