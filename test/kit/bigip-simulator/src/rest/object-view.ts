/**
 * Objects as iControl REST shows them: kind, name, where it is, generation, a selfLink on `localhost` with the version, the
 * properties, and beside each name that stands for another object a reference. Parts of an object are links until
 * `expandSubcollections` asks for them.
 */
import type { ConfigObject } from '../config/box-config.ts';
import type { KindDescription, Subcollection } from '../config/kinds.ts';
import type { TmosVersion } from '../simulator.ts';
import type { Json } from './answer.ts';
import { isJson } from './call.ts';
import { partsOf } from './resource.ts';

export interface ViewOptions {
  version: TmosVersion;
  expand?: boolean;
  /** Query that the selfLink repeats, without `?`. */
  query?: string;
}

/** Where the objects stand that a property names, by kind and property. */
const linked = new Map([
  ['ltm virtual pool', 'tm/ltm/pool'],
  ['ltm virtual rules', 'tm/ltm/rule'],
  ['ltm data-group external externalFileName', 'tm/sys/file/data-group'],
]);

export function linkTo(path: string, version: TmosVersion, query = ''): string {
  return `https://localhost/mgmt/${path}?${query === '' ? '' : `${query}&`}ver=${version}`;
}

/** `~Common~192.168.1.10%2510` of `/Common/192.168.1.10%10`. */
export function segmentOf(fullPath: string): string {
  return encodeURIComponent(fullPath.replaceAll('/', '~')).replaceAll('%3A', ':').replaceAll('%2C', ',');
}

export function objectView(object: ConfigObject, description: KindDescription, options: ViewOptions): Json {
  const path = `${description.path}/${segmentOf(object.fullPath)}`;
  const parts = partsOf(description);
  const entries: [string, unknown][] = [];
  for (const [property, value] of Object.entries(object.properties)) {
    if (parts.some((part) => part.property === property)) continue;
    entries.push([property, value]);
    const target = linked.get(`${description.kind} ${property}`);
    if (target !== undefined) entries.push([`${property}Reference`, referenceTo(target, value, options.version)]);
  }
  for (const part of parts) entries.push([`${part.property}Reference`, partReference(object, path, part, options)]);
  return {
    kind: description.state,
    ...placeOf(object.fullPath, description),
    generation: object.generation,
    selfLink: linkTo(path, options.version, options.query),
    ...Object.fromEntries(entries),
  };
}

export function collectionView(description: KindDescription, items: Json[], options: ViewOptions): Json {
  const frame = { kind: description.collection, selfLink: linkTo(description.path, options.version, options.query) };
  return items.length === 0 ? frame : { ...frame, items };
}

/** The items of a part, each with its place; the parent's partition where it says none. */
export function partItems(object: ConfigObject, part: Subcollection): Json[] {
  const value = object.properties[part.property];
  return Array.isArray(value) ? value.map((item) => named(item, object.fullPath)) : [];
}

export function partItemView(
  object: ConfigObject,
  path: string,
  part: Subcollection,
  item: Json,
  version: TmosVersion,
): Json {
  const { name, partition, subPath, fullPath, ...rest } = item;
  const place = subPath === undefined ? { name, partition, fullPath } : { name, partition, subPath, fullPath };
  const selfLink = linkTo(`${path}/${part.property}/${segmentOf(String(fullPath))}`, version);
  return { kind: part.state, ...place, generation: object.generation, selfLink, ...rest };
}

export function partView(object: ConfigObject, path: string, part: Subcollection, version: TmosVersion): Json {
  const items = partItems(object, part).map((item) => partItemView(object, path, part, item, version));
  const frame = { kind: part.collection, selfLink: linkTo(`${path}/${part.property}`, version) };
  return items.length === 0 ? frame : { ...frame, items };
}

function partReference(object: ConfigObject, path: string, part: Subcollection, options: ViewOptions): Json {
  const link = linkTo(`${path}/${part.property}`, options.version);
  if (options.expand !== true) return { link, isSubcollection: true };
  const items = partItems(object, part).map((item) => partItemView(object, path, part, item, options.version));
  return items.length === 0 ? { link, isSubcollection: true } : { link, isSubcollection: true, items };
}

function placeOf(fullPath: string, description: KindDescription): Json {
  if (!fullPath.startsWith('/')) return { name: fullPath, fullPath };
  const [partition = '', ...names] = fullPath.slice(1).split('/');
  const name = names.pop();
  if (description.naming === 'folder') {
    const folder = name === undefined ? '/' : [partition, ...names].join('/');
    return fullPath === '/' ? { name: '/', fullPath } : { name: name ?? partition, subPath: folder, fullPath };
  }
  if (names.length === 0) return { name, partition, fullPath };
  return { name, partition, subPath: names.join('/'), fullPath };
}

function named(item: unknown, parent: string): Json {
  const body: Json = isJson(item) ? item : { name: String(item) };
  const given = String(body.fullPath ?? body.name ?? '');
  const home = typeof body.partition === 'string' ? body.partition : (parent.split('/')[1] ?? 'Common');
  const inside = typeof body.subPath === 'string' ? `${body.subPath}/` : '';
  const fullPath = given.startsWith('/') ? given : `/${home}/${inside}${given}`;
  const [, partition = 'Common', ...names] = fullPath.split('/');
  return { ...body, name: names.at(-1) ?? given, partition, fullPath };
}

function referenceTo(target: string, value: unknown, version: TmosVersion): unknown {
  const link = (name: unknown): Json => ({ link: linkTo(`${target}/${segmentOf(String(name))}`, version) });
  return Array.isArray(value) ? value.map(link) : link(value);
}
