import type { Entry } from './object-tables.ts';

/**
 * How large a `js_shared_dict_zone` must be. The slab allocator's rounding was measured on njs 0.8.9 with 60 fills,
 * right to 1 %: an entry takes slot(112 + key) and slot(value), a slot is the next power of two up to 2048 bytes and
 * whole pages of 4096 beyond.
 */
const PAGE = 4096;

/** Bytes for these entries twice (while one policy replaces another), with a third to spare, in whole megabytes. */
export function zoneBytesFor(entries: Iterable<Entry>): number {
  const slots = new Map<number, number>();
  for (const [key, value] of entries) {
    for (const size of [slotOf(112 + key.length), slotOf(value.length)]) slots.set(size, (slots.get(size) ?? 0) + 1);
  }
  let pages = 4;
  for (const [size, count] of slots)
    pages += size >= PAGE ? (count * size) / PAGE : Math.ceil(count / perPage(size)) + 1;
  const megabytes = Math.ceil((pages * 2 * 1.33 * PAGE) / 0.993 / 1048576);
  return Math.max(1, megabytes) * 1048576;
}

function slotOf(bytes: number): number {
  if (bytes > 2048) return Math.ceil(bytes / PAGE) * PAGE;
  let slot = 8;
  while (slot < bytes) slot *= 2;
  return slot;
}

/** Small slots lose a little of each page to the bit map of the page. */
function perPage(size: number): number {
  if (size === 8) return 504;
  if (size === 16) return 254;
  return size === 32 ? 127 : PAGE / size;
}
