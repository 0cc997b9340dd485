/**
 * Objects as iControl REST shows them: kind, name, where it is, generation, a selfLink on `localhost` with the version, the
 * properties, and beside each name that stands for another object a reference. Parts of an object are links until
 * `expandSubcollections` asks for them.
 */
import type { BoxConfig, ConfigObject } from '../config/box-config.ts';
import type { KindDescription } from '../config/kinds.ts';
import type { TmosVersion } from '../simulator.ts';
import type { Json } from './answer.ts';
import { linkTo, segmentOf } from './links.ts';
import { partReference } from './object-part.ts';
import { partsOf } from './resource.ts';

export interface ViewOptions {
  version: TmosVersion;
  /** Where the objects stand that others name. */
  config: BoxConfig;
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
  for (const part of parts) entries.push([`${part.property}Reference`, partReference(object, part, options)]);
  return {
    kind: description.state,
    ...placeOf(object.fullPath, description),
    generation: object.generation,
    selfLink: linkTo(path, options.version, options.query),
    ...Object.fromEntries(entries),
  };
}

export function collectionView(description: KindDescription, items: Json[], version: TmosVersion): Json {
  const frame = { kind: description.collection, selfLink: linkTo(description.path, version) };
  return items.length === 0 ? frame : { ...frame, items };
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

function referenceTo(target: string, value: unknown, version: TmosVersion): unknown {
  const link = (name: unknown): Json => ({ link: linkTo(`${target}/${segmentOf(String(name))}`, version) });
  return Array.isArray(value) ? value.map(link) : link(value);
}
