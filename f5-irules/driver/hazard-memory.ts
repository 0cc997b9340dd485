import { RULES, VIRTUALS } from './box-paths.ts';
import type { Icontrol, Json } from './icontrol/index.ts';

/**
 * Virtual servers and rules as they were read last, so that looking for hazards each minute does not ask for each of them
 * again. One is read anew when its generation moved, and every quarter of an hour whatever its generation: a box that
 * loads its configuration counts anew, and what hangs on an object may move without it.
 */
export interface HazardMemory {
  /** Asks what moved since. */
  begin(box: Icontrol): Promise<Seen>;
}

interface Seen {
  /** The object as it is known, or as `read` gives it. */
  object(kind: string, fullPath: string, read: (fullPath: string) => Promise<Json | null>): Promise<Json | null>;
}

const MAX_AGE_MS = 15 * 60_000;

interface Known {
  generation: number;
  readAtMs: number;
  value: Json | null;
}

export function createHazardMemory(nowMs: () => number): HazardMemory {
  // Only what the last look asked for: a virtual server that left the policy is forgotten.
  let known = new Map<string, Known>();
  return {
    async begin(box) {
      const before = known;
      const after = new Map<string, Known>();
      known = after;
      const generations = await generationsAt(box);
      const pending = new Map<string, Promise<Json | null>>();
      return {
        object: (kind, fullPath, read) => {
          const key = `${box.url} ${kind} ${fullPath}`;
          return once(pending, key, async () => {
            const generation = generations.get(`${kind} ${fullPath}`) ?? Number.NaN;
            const old = before.get(key);
            if (old?.generation === generation && nowMs() - old.readAtMs < MAX_AGE_MS) {
              after.set(key, old);
              return old.value;
            }
            const value = await read(fullPath);
            after.set(key, { generation, readAtMs: nowMs(), value });
            return value;
          });
        },
      };
    },
  };
}

/** Each is read once in a look, and nothing is believed in the next one. */
export const forgetful: HazardMemory = {
  begin: () => {
    const pending = new Map<string, Promise<Json | null>>();
    return Promise.resolve({
      object: (kind, fullPath, read) => once(pending, `${kind} ${fullPath}`, () => read(fullPath)),
    });
  },
};

/** By kind and full path. */
async function generationsAt(box: Icontrol): Promise<Map<string, number>> {
  const generations = new Map<string, number>();
  for (const kind of [VIRTUALS, RULES]) {
    for (const { fullPath, generation } of await box.list(kind, { $select: 'fullPath,generation' }))
      generations.set(`${kind} ${String(fullPath)}`, Number(generation));
  }
  return generations;
}

function once<T>(pending: Map<string, Promise<T>>, key: string, read: () => Promise<T>): Promise<T> {
  const value = pending.get(key) ?? read();
  pending.set(key, value);
  return value;
}
