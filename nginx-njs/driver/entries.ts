import type { CompiledObject, CompiledPolicy } from '@edgeward/policy';
import { EdgewardError } from '@edgeward/runtime';
import { type Active, classKey, headerKey, headerOf, idOf, rulesOfClass } from '../src/layout.ts';

/** A compiled policy as the entries of NGINX's dictionary. Equal objects give equal entries, whoever lays them out. */
export type Entry = readonly [key: string, value: string];

export interface Layout {
  active: Active;
  /** By content id: what has to be there before a header that points to it. */
  contents: Map<string, Entry[]>;
  headers: Entry[];
}

/** A value larger than this does not fit into one push. */
const VALUE_LIMIT = 200_000;

export function layOut(policy: CompiledPolicy): Layout {
  const active = { generation: idOf(policy.hash), revision: policy.revision, hash: policy.hash };
  const contents = new Map<string, Entry[]>();
  const headers: Entry[] = [];
  for (const object of policy.objects) {
    contents.set(idOf(object.hash), contentEntries(object));
    headers.push([headerKey(active.generation, object.bind), JSON.stringify(headerOf(object))]);
  }
  return { active, contents, headers };
}

/** Every entry, headers last. */
export function* entriesOf(layout: Layout): Generator<Entry> {
  for (const entries of layout.contents.values()) yield* entries;
  yield* layout.headers;
}

function contentEntries(object: CompiledObject): Entry[] {
  const content = idOf(object.hash);
  const entries: Entry[] = Object.entries(object.sources).map(([bucket, value]) => [content + bucket, value]);
  for (let id = 0; id < object.classes.length; id += 1) {
    entries.push([classKey(content, id), JSON.stringify(rulesOfClass(object, id))]);
  }
  for (const [key, value] of entries) {
    if (value.length > VALUE_LIMIT) throw tooLarge(object, key, value.length);
  }
  return entries;
}

function tooLarge(object: CompiledObject, key: string, length: number): EdgewardError {
  return new EdgewardError(
    'EDW_ERR_POINT_CAPACITY',
    `the sources of '${object.name}' are too scattered for NGINX: one value (${key}) would take ${length} bytes`,
    { mend: 'Join the networks that its rules name into fewer, larger ones, or split the object.' },
  );
}
