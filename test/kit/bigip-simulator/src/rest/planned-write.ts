/**
 * A write that a call asks for, before it has any effect: what would change, and what the answer is once it did. A
 * transaction keeps these; a call on its own applies its one at once.
 */
import type { Change, ConfigObject } from '../config/box-config.ts';
import { alreadyExists, notFound } from '../config/mcpd-errors.ts';
import type { SimulatedUser } from '../simulator.ts';
import { type Answer, empty, type Json, json, refuseBox } from './answer.ts';
import { bodyOf, type Call } from './call.ts';
import { partItems, partItemView } from './object-part.ts';
import { objectView } from './object-view.ts';
import type { Resource } from './resource.ts';
import type { RestUnit } from './rest-unit.ts';
import { mayWrite, partitionOf } from './roles.ts';

export interface PlannedWrite {
  /** Reads what stands now; `earlier` are the changes of the same transaction before it. */
  changes(earlier: readonly Change[]): Change[];
  answer(written: (ConfigObject | null)[]): Answer;
}

export function planWrite(call: Call, user: SimulatedUser, resource: Resource, unit: RestUnit): PlannedWrite {
  const { description } = resource;
  if (resource.form === 'collection' && call.method === 'POST') return planCreate(call, user, resource, unit);
  if (resource.form === 'object' && call.method !== 'POST') return planObject(call, user, resource, unit);
  if (resource.form === 'part') return planPart(call, user, resource, unit);
  const component = `/${description.kind.replaceAll(' ', '/')}`;
  return refuseBox(405, `Operation is not supported on component ${component}.`, 1);
}

function planCreate(call: Call, user: SimulatedUser, resource: Resource, unit: RestUnit): PlannedWrite {
  const body = bodyOf(call);
  mayWrite(user, resource.description.kind, partitionOfBody(body));
  const change: Change = { do: 'create', kind: resource.description.kind, body };
  return { changes: () => [change], answer: ([object]) => shown(object, resource, unit) };
}

function planObject(
  call: Call,
  user: SimulatedUser,
  resource: Extract<Resource, { form: 'object' }>,
  unit: RestUnit,
): PlannedWrite {
  const { kind } = resource.description;
  const { fullPath } = resource;
  mayWrite(user, kind, partitionOf(fullPath));
  if (call.method === 'DELETE') return { changes: () => [{ do: 'remove', kind, fullPath }], answer: () => empty };
  const body = bodyOf(call);
  const options = call.query.get('options');
  const change: Change =
    call.method === 'PUT'
      ? { do: 'replace', kind, fullPath, body }
      : { do: 'modify', kind, fullPath, body, ...(options === null ? {} : { options }) };
  const query = options === null ? '' : `options=${encodeURIComponent(options).replaceAll('%20', '+')}`;
  return { changes: () => [change], answer: ([object]) => shown(object, resource, unit, query) };
}

type Part = Extract<Resource, { form: 'part' }>;

/** A member of a pool, a profile of a virtual server: one item of an array, written as the whole array. */
function planPart(call: Call, user: SimulatedUser, resource: Part, unit: RestUnit): PlannedWrite {
  const { kind } = resource.description;
  const { fullPath, part } = resource;
  mayWrite(user, kind, partitionOf(fullPath));
  const body = call.method === 'DELETE' ? {} : bodyOf(call);
  let name = '';
  return {
    changes(earlier) {
      const items = itemsAfter(resource, unit, earlier);
      const next = edited(call.method, items, body, resource);
      name = next.name;
      return [{ do: 'modify', kind, fullPath, body: { [part.property]: next.items.map(withoutPath) } }];
    },
    answer([object]) {
      if (call.method === 'DELETE' || object === null || object === undefined) return empty;
      const item = partItems(object, part).find((other) => other.fullPath === name) ?? {};
      return json(partItemView(object, part, item, unit));
    },
  };
}

function itemsAfter(resource: Part, unit: RestUnit, earlier: readonly Change[]): Json[] {
  const { description, fullPath, part } = resource;
  const object = unit.config.get(description.kind, fullPath);
  const pending = earlier.findLast(
    (change) =>
      change.do !== 'remove' &&
      change.kind === description.kind &&
      (change.do !== 'create' ? change.fullPath === fullPath : createsPath(change.body, fullPath)) &&
      change.body[part.property] !== undefined,
  );
  if (object === null && pending === undefined) throw notFound(description.title, fullPath);
  const properties = pending !== undefined && pending.do !== 'remove' ? pending.body : (object?.properties ?? {});
  return partItems({ kind: description.kind, fullPath, generation: 0, properties }, part);
}

function createsPath(body: Json, fullPath: string): boolean {
  const name = String(body.name ?? '');
  return fullPath === name || fullPath === `/${String(body.partition ?? 'Common')}/${name}`;
}

function edited(method: string, items: Json[], body: Json, resource: Part): { items: Json[]; name: string } {
  const { fullPath, part, item, description } = resource;
  if (item === null) {
    if (method !== 'POST') refuseBox(405, `Operation is not supported on component /${part.property}.`, 1);
    const [added = {}] = partItems(
      { kind: '', fullPath, generation: 0, properties: { [part.property]: [body] } },
      part,
    );
    const name = String(added.fullPath);
    const title = `${description.title} ${part.property}`;
    if (items.some((other) => other.fullPath === name))
      throw alreadyExists(title, `${fullPath} ${name}`, partitionOf(fullPath));
    return { items: [...items, added], name };
  }
  const name = item.startsWith('/') ? item : `/Common/${item}`;
  const found = items.find((other) => other.fullPath === name);
  if (found === undefined) throw notFound(`${description.title} ${part.property}`, `${fullPath} ${name}`);
  if (method === 'DELETE') return { items: items.filter((other) => other !== found), name };
  if (method === 'POST') refuseBox(405, `Operation is not supported on component /${part.property}.`, 1);
  const { name: _name, partition: _partition, fullPath: _path, ...said } = body;
  const next: Json = method === 'PUT' ? { name: found.name, partition: found.partition, fullPath: name } : { ...found };
  return { items: items.map((other) => (other === found ? { ...next, ...said } : other)), name };
}

/** What the view adds to an item is not part of what is written. */
function withoutPath({ fullPath: _path, nameReference: _reference, ...item }: Json): Json {
  return item;
}

function shown(object: ConfigObject | null | undefined, resource: Resource, unit: RestUnit, query = ''): Answer {
  if (object === null || object === undefined) return empty;
  return json(objectView(object, resource.description, { version: unit.version, config: unit.config, query }));
}

function partitionOfBody(body: Json): string {
  const name = String(body.name ?? '');
  if (name.startsWith('/')) return partitionOf(name);
  return typeof body.partition === 'string' ? body.partition : 'Common';
}
