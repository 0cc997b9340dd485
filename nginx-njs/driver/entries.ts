import type { CompiledObject, CompiledPolicy } from '@edgeward/policy';
import { EdgewardError } from '@edgeward/runtime';
import { type Active, formatHeader, formatPorts, headerKey } from '../src/layout.ts';
import type { NameOf } from './entry-names.ts';
import { checkLengths, type Entry, type ObjectTables, objectTables, tableEntries } from './object-tables.ts';
import { type TableDelta, tableDelta } from './table-delta.ts';

/**
 * A compiled policy as the entries of NGINX's dictionary. Equal objects on equal bases give equal entries, whoever lays
 * them out; without a base an object is whole.
 */
export interface Layout {
  active: Active;
  /** By id: what has to be there before a header that points to it. */
  contents: Map<string, Content>;
  headers: Entry[];
  /** By bind. */
  placements: Map<string, Placement>;
}

interface Content {
  entries(): Iterable<Entry>;
}

/** How one object lies in the zone. */
interface Placement {
  /** Of the object. */
  hash: string;
  own: ObjectTables;
  /** What lies there whole: its own tables, or others that the delta turns into them. */
  base: ObjectTables;
  delta: TableDelta;
  header: string;
}

interface LayoutOptions {
  nameOf: NameOf;
  /** Of the policy; where the zone holds it already, the one that it has there. */
  generation?: string;
  /** What the zone holds of these objects; those that did not change stay as they are. */
  placed?: ReadonlyMap<string, Placement>;
  /** Tables that the zone holds for an object. */
  baseOf?: (object: CompiledObject) => ObjectTables | null;
  /** For a module from before deltas. */
  former?: boolean;
}

/** Throws EDW_ERR_POINT_CAPACITY. */
export function layOut(policy: CompiledPolicy, options: LayoutOptions): Layout {
  const generation = options.generation ?? options.nameOf(policy.hash);
  const active = { generation, revision: policy.revision, hash: policy.hash };
  const layout: Layout = { active, contents: new Map(), headers: [], placements: new Map() };
  for (const object of policy.objects) {
    const earlier = options.placed?.get(object.bind);
    const placement = earlier?.hash === object.hash ? earlier : placementOf(object, options);
    layout.placements.set(object.bind, placement);
    layout.headers.push([headerKey(active.generation, object.bind), placement.header]);
    for (const [id, content] of contentsOf(placement)) layout.contents.set(id, content);
  }
  refuseTwins(policy, layout.placements);
  return layout;
}

/** Two objects with one name: one of them would be judged by the tables of the other. */
function refuseTwins({ objects, revision }: CompiledPolicy, placements: ReadonlyMap<string, Placement>): void {
  const named = new Map<string, CompiledObject>();
  for (const object of objects) {
    const id = placements.get(object.bind)?.own.id ?? '';
    const twin = named.get(id);
    named.set(id, object);
    if (twin === undefined || twin.hash === object.hash) continue;
    const what = `'${twin.name}' and '${object.name}' would have one name, ${id}, in its zone`;
    throw new EdgewardError('EDW_ERR_POINT_CAPACITY', `laying out revision ${revision} for NGINX: ${what}`, {
      mend: 'Change either object in anything. By chance this does not happen: look who changed them last, and who knows the push token.',
    });
  }
}

/** Every entry, headers last. */
export function* entriesOf(layout: Layout): Generator<Entry> {
  for (const content of layout.contents.values()) yield* content.entries();
  yield* layout.headers;
}

/** Whether a verdict on one of its objects reads more than whole tables. */
export function hasDelta({ placements }: Layout): boolean {
  return [...placements.values()].some(({ base, delta }) => delta.id !== null || delta.rulesId !== base.id);
}

function placementOf(object: CompiledObject, { baseOf, nameOf, former = false }: LayoutOptions): Placement {
  if (former) return whole(object, objectTables(object, nameOf, JSON.stringify), true);
  const own = objectTables(object, nameOf);
  const base = baseOf?.(object) ?? null;
  const delta = base === null ? null : tableDelta(base, own, nameOf);
  if (base === null || delta === null) return whole(object, own, false);
  return { hash: object.hash, own, base, delta, header: headerOf(object, base, delta) };
}

function whole(object: CompiledObject, own: ObjectTables, former: boolean): Placement {
  checkLengths(object, own);
  const delta: TableDelta = { id: null, slots: '', slotEntries: [], rulesId: own.id, ruleEntries: [] };
  const header = former ? formerHeaderOf(object, own) : headerOf(object, own, delta);
  return { hash: object.hash, own, base: own, delta, header };
}

function* contentsOf({ base, delta }: Placement): Generator<[id: string, Content]> {
  yield [base.id, { entries: () => tableEntries(base) }];
  if (delta.id !== null) yield [delta.id, { entries: () => delta.slotEntries }];
  if (delta.rulesId !== base.id) yield [delta.rulesId, { entries: () => delta.ruleEntries }];
}

function headerOf(object: CompiledObject, base: ObjectTables, delta: TableDelta): string {
  return formatHeader({
    content: base.id,
    rules: delta.rulesId,
    delta: delta.id,
    slots: delta.slots,
    mode: object.mode,
    protocol: object.protocol,
    ports: formatPorts(object.ports),
    trustedProxies: object.trustedProxies,
  });
}

function formerHeaderOf({ mode, protocol, ports, trustedProxies }: CompiledObject, { id }: ObjectTables): string {
  return JSON.stringify({ content: id, mode, protocol, ports, trustedProxies });
}
