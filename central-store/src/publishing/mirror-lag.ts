/**
 * Which points are served a head that the mirror may not have yet. Replacing a file costs the disk as much as all else that
 * a head takes, so a change that concerns many points is served first and written after. The names are on disk before the
 * first of them is served: a process that comes after a crash does not take what lies there for the newest.
 */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { systemCodeOf, writeDurably } from '@edgeward/runtime';

export interface MirrorLag {
  /** Of an earlier process that was killed: whose head in the mirror counts for nothing. */
  left(): { has(point: string): boolean };
  /** These, and no others. Durable when it resolves. Throws EDW_ERR_STATE_WRITE. */
  note(points: Iterable<string>): Promise<void>;
  /** The mirror is as new as what is served. */
  clear(): void;
}

const NONE: ReadonlySet<string> = new Set();
/** What can't be read may have named anybody. */
const ALL = { has: (_point: string): boolean => true };

export function openMirrorLag(dir: string): MirrorLag {
  const path = join(dir, 'mirror-lag');
  let noted = true;
  return {
    left() {
      try {
        return new Set(readFileSync(path, 'utf8').split('\n'));
      } catch (thrown) {
        return systemCodeOf(thrown) === 'ENOENT' ? NONE : ALL;
      }
    },
    async note(points) {
      noted = true;
      await writeDurably(path, `${[...points].join('\n')}\n`);
    },
    clear() {
      if (!noted) return;
      // At once, so that it never takes away a later note; and not synced: a note that comes back costs each of its points a
      // number, and no more.
      try {
        rmSync(path, { force: true });
        noted = false;
      } catch {
        // It is tried again, and says too much until then.
      }
    },
  };
}
