import type { Entry, Layout } from './entries.ts';
import { entriesOf } from './entries.ts';
import type { PointState } from './push-client.ts';

/**
 * What a driver knows to lie in NGINX's zone, so that it need not look at every entry before every push. It holds only
 * as long as the zone lives and nobody else writes to it; both are seen in the zone's state.
 */
export interface KnownZone {
  bootId: string;
  /** Who wrote last: this driver, or whoever wrote before what it looked at. */
  writer: string;
  contents: Set<string>;
  /** In force; null where another wrote it. */
  layout: Layout | null;
  /** Replaced, and kept for requests that began before the switch. */
  retired: { keys: string[]; untilMs: number }[];
}

export function unknownZone(): KnownZone {
  return { bootId: '', writer: '', contents: new Set(), layout: null, retired: [] };
}

export function isKnown(known: KnownZone, state: PointState): boolean {
  return known.bootId === state.bootId && known.writer === state.writer;
}

/** Forgets what is no longer certain. */
export function recognise(known: KnownZone, state: PointState): void {
  if (isKnown(known, state)) return;
  Object.assign(known, unknownZone(), { bootId: state.bootId, writer: state.writer });
}

/** `layout` is in force from now on; what it replaced stays for `graceMs`. */
export function activated(known: KnownZone, layout: Layout, nowMs: number, graceMs: number): void {
  if (known.layout !== null && known.layout.active.hash !== layout.active.hash)
    known.retired.push({ keys: keysOf(entriesOf(known.layout)), untilMs: nowMs + graceMs });
  known.layout = layout;
  known.contents = new Set(layout.contents.keys());
}

/** How long until the last retired entries may go; 0: now. */
export function graceLeftMs(known: KnownZone, nowMs: number): number {
  return Math.max(0, ...known.retired.map(({ untilMs }) => untilMs - nowMs));
}

function keysOf(entries: Iterable<Entry>): string[] {
  const keys: string[] = [];
  for (const [key] of entries) keys.push(key);
  return keys;
}
