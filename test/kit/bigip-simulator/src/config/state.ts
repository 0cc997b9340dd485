/**
 * Everything that a unit holds at one moment, and a draft of the next. States are never changed, so saving, rolling back
 * and taking a snapshot are keeping a reference; a draft copies only the index of the kinds that it writes. Objects and
 * their properties are shared between states: a million records are held once.
 */
import type { ConfigObject, Kind, Properties } from './box-config.ts';

export interface State {
  readonly kinds: ReadonlyMap<Kind, ReadonlyMap<string, ConfigObject>>;
  /** Content of files of data groups, by full path. */
  readonly files: ReadonlyMap<string, string>;
  readonly generation: number;
}

export const EMPTY: State = { kinds: new Map(), files: new Map(), generation: 0 };

/** What rules may ask of a state or of a draft. */
export interface View {
  get(kind: Kind, fullPath: string): ConfigObject | null;
  all(kind: Kind): Iterable<ConfigObject>;
  kinds(): Iterable<Kind>;
  file(fullPath: string): string | null;
}

export interface Draft extends View {
  put(kind: Kind, fullPath: string, properties: Properties): ConfigObject;
  remove(kind: Kind, fullPath: string): void;
  putFile(fullPath: string, content: string | null): void;
  /** In the order of the first write; an object that was put and removed again is not there. */
  changed(): { kind: Kind; fullPath: string }[];
  finish(): State;
}

export function viewOf(state: State): View {
  return {
    get: (kind, fullPath) => state.kinds.get(kind)?.get(fullPath) ?? null,
    all: (kind) => state.kinds.get(kind)?.values() ?? [],
    kinds: () => state.kinds.keys(),
    file: (fullPath) => state.files.get(fullPath) ?? null,
  };
}

export function draftOf(state: State): Draft {
  const kinds = new Map(state.kinds);
  const own = new Map<Kind, Map<string, ConfigObject>>();
  const touched = new Map<string, { kind: Kind; fullPath: string }>();
  const files = new Map(state.files);
  const generation = state.generation + 1;

  const indexOf = (kind: Kind): Map<string, ConfigObject> => {
    const made = own.get(kind) ?? new Map(state.kinds.get(kind));
    own.set(kind, made);
    kinds.set(kind, made);
    return made;
  };
  const touch = (kind: Kind, fullPath: string): void => {
    touched.set(`${kind}\n${fullPath}`, { kind, fullPath });
  };
  return {
    ...viewOf({ kinds, files, generation }),
    put(kind, fullPath, properties) {
      const object: ConfigObject = { kind, fullPath, generation, properties };
      indexOf(kind).set(fullPath, object);
      touch(kind, fullPath);
      return object;
    },
    remove(kind, fullPath) {
      indexOf(kind).delete(fullPath);
      touch(kind, fullPath);
    },
    putFile(fullPath, content) {
      if (content === null) files.delete(fullPath);
      else files.set(fullPath, content);
    },
    changed: () =>
      [...touched.values()].filter(
        ({ kind, fullPath }) => kinds.get(kind)?.get(fullPath) !== state.kinds.get(kind)?.get(fullPath),
      ),
    finish: () => ({ kinds, files, generation }),
  };
}

/** The box lists objects by their full path. */
export function inOrder(objects: Iterable<ConfigObject>): ConfigObject[] {
  return [...objects].sort((a, b) => (a.fullPath < b.fullPath ? -1 : a.fullPath > b.fullPath ? 1 : 0));
}
