import type { CompiledPolicy } from '@edgeward/policy';
import { headerKey, LAYOUT, parseHeader } from '../src/layout.ts';
import { entriesOf, type Layout, layOut } from './entries.ts';
import type { NameOf } from './entry-names.ts';
import { isKnown, type KnownZone } from './known-zone.ts';
import type { LastKnown } from './last-known-file.ts';
import { type Entry, type ObjectTables, objectTables, tablesOf } from './object-tables.ts';
import type { PointState, PushClient } from './push-client.ts';

/**
 * How a policy is to lie in a zone that holds something already. A driver that does not know the zone asks it which tables
 * its headers lead to, and takes those for a base whose content it knows: its own, or of the last-known file. It believes
 * only that they were there; whoever pushes compares them.
 */
/** Few enough for one answer, which in stream is bounded. */
const HEADERS_A_CALL = 50;

export interface ZoneView {
  client: PushClient;
  known: KnownZone;
  lastKnown(): Promise<LastKnown | null>;
  whole?: boolean;
}

export async function layoutFor(view: ZoneView, state: PointState, desired: CompiledPolicy): Promise<Layout> {
  const { known } = view;
  const naming = await namingFor(view.client, state, desired);
  if (state.layout < LAYOUT) return layOut(desired, { ...naming, former: true });
  if (view.whole === true) return layOut(desired, naming);
  const { layout } = known;
  if (!isKnown(known, state) || layout === null) return layoutOnUnknown(view, state, desired, naming);
  const placed = layout.placements;
  return layOut(desired, { ...naming, placed, baseOf: ({ bind }) => placed.get(bind)?.base ?? null });
}

/** What has to lie there if nothing was changed by hand; empty where nobody can say. */
export async function expectedEntries(
  view: ZoneView,
  state: PointState,
  applied: CompiledPolicy | null,
): Promise<Iterable<Entry>> {
  const { known } = view;
  const hash = state.active?.hash;
  const { layout } = known;
  if (isKnown(known, state) && layout !== null && layout.active.hash === hash) return entriesOf(layout);
  // Another service wrote since, and may have laid the same policy out on other tables.
  if (applied !== null && applied.hash === hash) return entriesOf(await layoutFor(view, state, applied));
  const last = await view.lastKnown();
  return last !== null && last.active.hash === hash ? last.entries() : [];
}

interface Naming {
  nameOf: NameOf;
  generation: string;
}

/** What is in force keeps its name, also when the token changes, or the version of whoever wrote it. */
async function namingFor(client: PushClient, { active }: PointState, desired: CompiledPolicy): Promise<Naming> {
  const nameOf = await client.names();
  return { nameOf, generation: active?.hash === desired.hash ? active.generation : nameOf(desired.hash) };
}

async function layoutOnUnknown(
  view: ZoneView,
  state: PointState,
  desired: CompiledPolicy,
  naming: Naming,
): Promise<Layout> {
  const { nameOf } = naming;
  const ids = await heldTables(view.client, state, desired);
  const missing = desired.objects.filter(({ bind, hash }) => {
    const id = ids.get(bind);
    return id !== undefined && nameOf(hash) !== id && !view.known.tables.has(id);
  });
  const written = missing.length === 0 ? [] : ((await view.lastKnown())?.entries() ?? []);
  return layOut(desired, {
    ...naming,
    baseOf(object) {
      const id = ids.get(object.bind);
      if (id === undefined) return null;
      if (nameOf(object.hash) === id) return objectTables(object, nameOf);
      return view.known.tables.get(id) ?? tablesAmong(written, id);
    },
  });
}

/** By bind: the id of the tables that the zone holds for it. */
async function heldTables(
  client: PushClient,
  state: PointState,
  { objects }: CompiledPolicy,
): Promise<Map<string, string>> {
  const held = new Map<string, string>();
  if (state.active === null) return held;
  const { generation } = state.active;
  for (let from = 0; from < objects.length; from += HEADERS_A_CALL) {
    const asked = objects.slice(from, from + HEADERS_A_CALL);
    const headers = await client.values(asked.map(({ bind }) => headerKey(generation, bind)));
    asked.forEach(({ bind }, at) => {
      const id = contentOf(headers[at] ?? null);
      if (id !== null) held.set(bind, id);
    });
  }
  return held;
}

function contentOf(header: string | null): string | null {
  try {
    return header === null ? null : parseHeader(header).content;
  } catch {
    return null;
  }
}

/** null where they are not among these entries. */
function tablesAmong(entries: Entry[], id: string): ObjectTables | null {
  const table: Record<string, string> = {};
  const rules: string[] = [];
  for (const [key, value] of entries) {
    if (!key.startsWith(id)) continue;
    const name = key.slice(id.length);
    if (name.startsWith('#')) rules[Number.parseInt(name.slice(1), 16)] = value;
    else table[name] = value;
  }
  return rules.length === 0 ? null : tablesOf(id, table, rules);
}
