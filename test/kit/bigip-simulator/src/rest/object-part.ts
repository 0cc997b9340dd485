/**
 * What belongs to an object and has a path of its own below it: members of a pool, profiles and policies of a virtual
 * server. The configuration keeps them as an array of named things.
 */
import type { BoxConfig, ConfigObject } from '../config/box-config.ts';
import { kindOf, profileKinds, type Subcollection } from '../config/kinds.ts';
import type { TmosVersion } from '../simulator.ts';
import type { Json } from './answer.ts';
import { isJson } from './call.ts';
import { linkTo, segmentOf } from './links.ts';

export interface PartOptions {
  version: TmosVersion;
  config: BoxConfig;
}

/** The items of a part, each with its place; the parent's partition where it says none. */
export function partItems(object: ConfigObject, part: Subcollection): Json[] {
  const value = object.properties[part.property];
  return Array.isArray(value) ? value.map((item) => placed(item, object.fullPath)) : [];
}

export function partItemView(object: ConfigObject, part: Subcollection, item: Json, options: PartOptions): Json {
  const { name, partition, subPath, fullPath, kind: _kind, generation: _generation, selfLink: _link, ...rest } = item;
  const place = subPath === undefined ? { name, partition, fullPath } : { name, partition, subPath, fullPath };
  const selfLink = linkTo(`${pathOf(object, part)}/${segmentOf(String(fullPath))}`, options.version);
  const view = { kind: part.state, ...place, generation: object.generation, selfLink, ...rest };
  const named = nameLink(object, part, String(fullPath), options);
  return named === null ? view : { ...view, nameReference: { link: named } };
}

export function partView(object: ConfigObject, part: Subcollection, options: PartOptions): Json {
  const frame = { kind: part.collection, selfLink: linkTo(pathOf(object, part), options.version) };
  const items = partItems(object, part).map((item) => partItemView(object, part, item, options));
  return items.length === 0 ? frame : { ...frame, items };
}

export function partReference(
  object: ConfigObject,
  part: Subcollection,
  options: PartOptions & { expand?: boolean },
): Json {
  const frame = { link: linkTo(pathOf(object, part), options.version), isSubcollection: true };
  if (options.expand !== true) return frame;
  const items = partItems(object, part).map((item) => partItemView(object, part, item, options));
  return items.length === 0 ? frame : { ...frame, items };
}

function pathOf(object: ConfigObject, part: Subcollection): string {
  return `${kindOf(object.kind).path}/${segmentOf(object.fullPath)}/${part.property}`;
}

/** The object that an item of a virtual server names; of a profile only this link tells what kind it is. */
function nameLink(object: ConfigObject, part: Subcollection, name: string, options: PartOptions): string | null {
  if (object.kind !== 'ltm virtual') return null;
  const kind = part.property === 'policies' ? 'ltm policy' : profileKinds.find((one) => options.config.get(one, name));
  return kind === undefined ? null : linkTo(`${kindOf(kind).path}/${segmentOf(name)}`, options.version);
}

function placed(item: unknown, parent: string): Json {
  const body: Json = isJson(item) ? item : { name: String(item) };
  const given = String(body.fullPath ?? body.name ?? '');
  const home = typeof body.partition === 'string' ? body.partition : (parent.split('/')[1] ?? 'Common');
  const inside = typeof body.subPath === 'string' ? `${body.subPath}/` : '';
  const fullPath = given.startsWith('/') ? given : `/${home}/${inside}${given}`;
  const [, partition = 'Common', ...names] = fullPath.split('/');
  return { ...body, name: names.at(-1) ?? given, partition, fullPath };
}
