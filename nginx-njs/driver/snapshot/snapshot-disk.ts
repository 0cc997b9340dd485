/** The writes that a folder of snapshots is made of: each is there whole after it, or was never there. */
import { randomBytes } from 'node:crypto';
import { mkdir, rename, rm, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { stateWriteError, syncFolder, unfinishedSuffix, writeDurably } from '@edgeward/runtime';

export interface SnapshotDisk {
  write(path: string, text: string): Promise<void>;
  /** Replaces a link that is there. */
  link(target: string, path: string): Promise<void>;
  /** With all that is in it. */
  remove(path: string): Promise<void>;
}

/** Throws EDW_ERR_STATE_WRITE. */
export const diskOf: SnapshotDisk = {
  async write(path, text) {
    await told(path, () => mkdir(dirname(path), { recursive: true, mode: 0o755 }));
    // The master of NGINX reads it, which need not be root. It says no more than the balancer's configuration does.
    await writeDurably(path, text, { mode: 0o644 });
  },
  async link(target, path) {
    const unfinished = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}${unfinishedSuffix}`);
    await told(path, async () => {
      await symlink(target, unfinished);
      await rename(unfinished, path);
      await syncFolder(dirname(path));
    });
  },
  remove: (path) => told(path, () => rm(path, { recursive: true, force: true })),
};

async function told(path: string, write: () => Promise<unknown>): Promise<void> {
  try {
    await write();
  } catch (cause) {
    throw stateWriteError(path, cause);
  }
}
