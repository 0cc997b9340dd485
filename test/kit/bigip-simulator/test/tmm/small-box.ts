/** A configuration for tests of the data plane: it keeps what it is given and tells who asks. It validates nothing. */
import { type BoxConfig, BoxError, type Change, type ConfigObject, type Kind } from '../../src/config/box-config.ts';

export interface SmallBox extends BoxConfig {
  put(kind: Kind, fullPath: string, properties: Record<string, unknown>): void;
  remove(kind: Kind, fullPath: string): void;
  putFile(fullPath: string, content: string): void;
}

export function smallBox(): SmallBox {
  const objects = new Map<string, ConfigObject>();
  const files = new Map<string, string>();
  const listeners = new Set<(changed: { kind: Kind; fullPath: string }[]) => void>();
  let generation = 0;
  const tell = (kind: Kind, fullPath: string): void => {
    for (const listener of listeners) listener([{ kind, fullPath }]);
  };
  const refused = (): never => {
    throw new BoxError(400, 'a small box does not do that');
  };
  const box: SmallBox = {
    version: '17.1.2',
    uploads: new Map(),
    get: (kind, fullPath) => objects.get(`${kind} ${fullPath}`) ?? null,
    list: (kind) => [...objects.values()].filter((object) => object.kind === kind),
    put(kind, fullPath, properties) {
      objects.set(`${kind} ${fullPath}`, { kind, fullPath, properties, generation: ++generation });
      tell(kind, fullPath);
    },
    remove(kind, fullPath) {
      if (objects.delete(`${kind} ${fullPath}`)) tell(kind, fullPath);
    },
    putFile: (fullPath, content) => void files.set(fullPath, content),
    file: (fullPath) => files.get(fullPath) ?? null,
    apply: (_changes: readonly Change[]) => refused(),
    save: refused,
    revert: refused,
    merge: refused,
    text: refused,
    snapshot: refused,
    restore: refused,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  return box;
}
