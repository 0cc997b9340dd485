import { entriesOf, type Layout } from './entries.ts';
import type { Entry, ObjectTables } from './object-tables.ts';
import type { PointState } from './push-client.ts';

/**
 * What a driver knows to lie in NGINX's zone, so that it need not look at every entry before every push. It holds only
 * as long as the zone lives and nobody else writes to it; both are seen in the zone's state. Times are of a clock that
 * never steps.
 */
export interface KnownZone {
  bootId: string;
  /** Who wrote last: this driver, or whoever wrote before what it looked at. */
  writer: string;
  /** Which layout the module reads; after an update of NGINX it may be another. */
  speaks: number;
  /** Ids of what lies there whole. */
  contents: Set<string>;
  /** In force; null where another wrote it. */
  layout: Layout | null;
  /** Replaced, and kept for requests that began before the switch. */
  retired: { layout: Layout; untilMs: number }[];
  /** Something may lie there that belongs to nothing that is known: of another driver, or of a push that failed. */
  littered: boolean;
  /** Tables by id, of what this driver laid out last. Whatever a zone holds under such an id is this. */
  tables: Map<string, ObjectTables>;
}

export function unknownZone(): KnownZone {
  return {
    bootId: '',
    writer: '',
    speaks: 0,
    contents: new Set(),
    layout: null,
    retired: [],
    littered: true,
    tables: new Map(),
  };
}

export function isKnown(known: KnownZone, state: PointState): boolean {
  return known.bootId === state.bootId && known.writer === state.writer && known.speaks === state.layout;
}

/** Forgets what is no longer certain. */
export function recognise(known: KnownZone, state: PointState): void {
  if (isKnown(known, state)) return;
  const { bootId, writer, layout: speaks } = state;
  Object.assign(known, unknownZone(), { bootId, writer, speaks, tables: known.tables });
}

/** `layout` is in force from now on; what it replaced stays for `graceMs`. */
export function activated(known: KnownZone, layout: Layout, nowMs: number, graceMs: number): void {
  if (known.layout !== null && known.layout !== layout)
    known.retired.push({ layout: known.layout, untilMs: nowMs + graceMs });
  known.layout = layout;
  for (const id of layout.contents.keys()) known.contents.add(id);
  known.tables = new Map();
  for (const { base, own } of layout.placements.values()) known.tables.set(base.id, base).set(own.id, own);
}

/** How long until the last retired entries may go, in whole milliseconds, as timers take them; 0: now. */
export function graceLeftMs(known: KnownZone, nowMs: number): number {
  return Math.max(0, ...known.retired.map(({ untilMs }) => Math.ceil(untilMs - nowMs) + 1));
}

/**
 * Keys of what was replaced, may go by now, and belongs neither to what stays nor to what is coming. Their contents are
 * no longer known to be there: they are about to be deleted.
 */
export function takeRetired(known: KnownZone, coming: Layout | null, nowMs: number): string[] {
  const gone = known.retired.filter(({ untilMs }) => untilMs <= nowMs);
  known.retired = known.retired.filter(({ untilMs }) => untilMs > nowMs);
  const staying = stayingLayouts(known, coming);
  const contents = new Set(staying.flatMap((layout) => [...layout.contents.keys()]));
  const headers = new Set(staying.flatMap((layout) => layout.headers.map(([key]) => key)));
  const keys = new Set<string>();
  for (const { layout } of gone) {
    for (const [key] of layout.headers) if (!headers.has(key)) keys.add(key);
    for (const [id, content] of layout.contents) {
      if (contents.has(id)) continue;
      known.contents.delete(id);
      for (const [key] of content.entries()) keys.add(key);
    }
  }
  return [...keys];
}

/** What of `held` belongs to nothing that is in force, was a moment ago, or is coming. */
export function litterOf(known: KnownZone, coming: Layout | null, inForce: Iterable<Entry>, held: string[]): string[] {
  const kept = new Set<string>();
  for (const [key] of inForce) kept.add(key);
  for (const layout of stayingLayouts(known, coming)) for (const [key] of entriesOf(layout)) kept.add(key);
  return held.filter((key) => !kept.has(key));
}

function stayingLayouts({ layout, retired }: KnownZone, coming: Layout | null): Layout[] {
  return [layout, coming, ...retired.map((it) => it.layout)].filter((it) => it !== null);
}
