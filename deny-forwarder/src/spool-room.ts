/**
 * Whether there is room for what comes next. What is not read yet waits in the log, which nobody has to hold up for that; so
 * little is given up as long as the log may grow. Only past that bound it is read on, and what can't be kept is counted.
 * Nothing is written here but a mark that costs nothing, by which a disk says that it takes something again.
 */
import { statfs } from 'node:fs/promises';
import type { DenySpool } from '@edgeward/deny-spool';

/** roomy: each denial as it is. crowded: equal ones as one. full: nothing more fits. */
export type Room = 'roomy' | 'crowded' | 'full';

export interface SpoolRoomOptions {
  spool: DenySpool;
  folder: string;
  maxBytes: number;
  /** What is left free on the disk: NGINX writes there too. */
  reserveBytes: number;
  now: () => number;
}

/** As much as one look at the log can bring. */
const ONE_READ_BYTES = 512 * 1024;

export function createSpoolRoom(options: SpoolRoomOptions): () => Promise<Room> {
  const { spool, folder, maxBytes, reserveBytes, now } = options;

  /** An entry of nothing, after a write that failed and for what was shed: it gets its record, also where nothing more comes. */
  async function takesAgain(): Promise<boolean> {
    const { cause, shed } = spool.status();
    if (cause === null && shed === null) return true;
    const nowMs = now();
    const { state } = await spool.append({ records: [], count: 0, fromMs: nowMs, toMs: nowMs });
    return state === 'written';
  }

  async function isDiskFull(): Promise<boolean> {
    const found = await statfs(folder).catch(() => null);
    return found !== null && found.bavail * found.bsize < reserveBytes + ONE_READ_BYTES;
  }

  return async () => {
    const { bytes } = spool.status();
    if (bytes + ONE_READ_BYTES > maxBytes || (await isDiskFull()) || !(await takesAgain())) return 'full';
    return bytes > maxBytes / 2 ? 'crowded' : 'roomy';
  };
}
