/** The configuration of one unit, in memory: what runs, what was saved, what was uploaded. */
import type { LoadRule } from '../irule/loaded-rule.ts';
import type { TmosVersion } from '../simulator.ts';
import type { BoxConfig, ConfigObject, ConfigSnapshot, Kind } from './box-config.ts';
import { initialState } from './initial-state.ts';
import type { Box } from './object-rules.ts';
import { draftOf, EMPTY, inOrder, type State, viewOf } from './state.ts';
import { changesOfText } from './tmsh/merging.ts';
import { configText } from './tmsh/writing.ts';
import { write } from './writing.ts';

export interface BoxConfigOptions {
  version: TmosVersion;
  loadRule: LoadRule;
  hostname: string;
  /** For the time stamps of files. */
  now?: () => Date;
}

/** What belongs to a unit itself: config-sync leaves it alone. */
const LOCAL = new Set<Kind>([
  'cm device',
  'net interface',
  'net self',
  'net vlan',
  'sys global-settings',
  'sys management-ip',
  'sys management-route',
]);

type Listener = (changed: { kind: Kind; fullPath: string }[]) => void;

export function createBoxConfig(options: BoxConfigOptions): BoxConfig {
  const { version, loadRule, hostname, now = () => new Date() } = options;
  const uploads = new Map<string, Buffer>();
  const box: Box = { version, loadRule, uploads, now };
  const listeners = new Set<Listener>();
  let running = initialState(hostname);
  let saved = running;

  const become = (state: State, changed: { kind: Kind; fullPath: string }[]): void => {
    running = state;
    if (changed.length > 0) for (const listener of [...listeners]) listener(changed);
  };
  const load = (objects: Iterable<ConfigObject>, files: Iterable<[string, string]>): void => {
    const before = running;
    const after = loaded(before.generation, objects, files);
    become(after, difference(before, after));
  };
  return {
    version,
    uploads,
    get: (kind, fullPath) => viewOf(running).get(kind, fullPath),
    list: (kind) => inOrder(viewOf(running).all(kind)),
    file: (fullPath) => viewOf(running).file(fullPath),
    apply(changes, { validateOnly = false } = {}) {
      const { state, objects, changed } = write(running, changes, box, 'rest');
      if (!validateOnly) become(state, changed);
      return objects;
    },
    save(partitions) {
      saved = partitions === undefined ? running : savedWith(saved, running, partitions);
    },
    revert: () => load(everything(saved), saved.files),
    merge(text, { verify = false } = {}) {
      const changes = changesOfText(text, viewOf(running));
      const { state, changed } = write(running, changes, box, 'text');
      if (!verify) become(state, changed);
    },
    text: () => configText(viewOf(running), version),
    snapshot: (): ConfigSnapshot => ({
      objects: [...everything(running)].filter(({ kind }) => !LOCAL.has(kind)),
      files: [...running.files],
    }),
    restore({ objects, files }) {
      const own = [...everything(running)].filter(({ kind }) => LOCAL.has(kind));
      load([...own, ...objects.filter(({ kind }) => !LOCAL.has(kind))], files);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** The running objects and files of these partitions, and all others as they were saved before. */
function savedWith(saved: State, running: State, partitions: ReadonlySet<string>): State {
  const isTaken = (fullPath: string): boolean => partitions.has(/^\/([^/]+)\//.exec(fullPath)?.[1] ?? '');
  const mixed = <T>(before: Iterable<[string, T]>, now: Iterable<[string, T]>): Map<string, T> =>
    new Map([...[...before].filter(([path]) => !isTaken(path)), ...[...now].filter(([path]) => isTaken(path))]);
  const kinds = new Set([...saved.kinds.keys(), ...running.kinds.keys()]);
  const objects = [...kinds].map(
    (kind) => [kind, mixed(saved.kinds.get(kind) ?? [], running.kinds.get(kind) ?? [])] as const,
  );
  return { kinds: new Map(objects), files: mixed(saved.files, running.files), generation: running.generation };
}

function* everything(state: State): Iterable<ConfigObject> {
  for (const objects of state.kinds.values()) yield* objects.values();
}

/** A load gives every object a new generation, as on a box; the properties stay the same objects. */
function loaded(generation: number, objects: Iterable<ConfigObject>, files: Iterable<[string, string]>): State {
  const draft = draftOf({ ...EMPTY, generation });
  for (const { kind, fullPath, properties } of objects) draft.put(kind, fullPath, properties);
  for (const [fullPath, content] of files) draft.putFile(fullPath, content);
  return draft.finish();
}

function difference(before: State, after: State): { kind: Kind; fullPath: string }[] {
  const changed: { kind: Kind; fullPath: string }[] = [];
  for (const { kind, fullPath, properties } of everything(after)) {
    const stood = before.kinds.get(kind)?.get(fullPath);
    const sameFile = before.files.get(fullPath) === after.files.get(fullPath);
    if (stood?.properties !== properties || (kind === 'sys file data-group' && !sameFile))
      changed.push({ kind, fullPath });
  }
  for (const { kind, fullPath } of everything(before))
    if (after.kinds.get(kind)?.has(fullPath) !== true) changed.push({ kind, fullPath });
  return changed;
}
