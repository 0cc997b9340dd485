/**
 * A small disk of its own for the state of a store, that a test fills and frees. Needs root and the right to mount; the
 * answer says why where there is none.
 */
import { execFile } from 'node:child_process';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemCodeOf } from '@edgeward/runtime';
import type { Teardown } from '@edgeward/test/kit';

export interface Disk {
  /** May be called again: what a store deletes makes room. */
  fill(): Promise<void>;
  free(): Promise<void>;
}

const run = promisify(execFile);
/** Room for hours of this test; only what is written takes memory. */
const MEGABYTES = 96;
const CHUNKS = [1024 * 1024, 4096, 64];

/** Mounted at `folder`, which is made. */
export async function mountDisk(t: Teardown, folder: string): Promise<Disk | { reason: string }> {
  await mkdir(folder, { recursive: true });
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${MEGABYTES}m,mode=0700`, 'edgeward-test', folder]);
  } catch (thrown) {
    return { reason: `no disk can be mounted: ${thrown instanceof Error ? thrown.message : String(thrown)}` };
  }
  t.teardown(async () => {
    await run('umount', [folder]).catch(() => run('umount', ['--lazy', folder]));
  });
  const ballast = join(folder, 'ballast');
  return {
    async fill() {
      const file = await open(ballast, 'a');
      try {
        for (const bytes of CHUNKS) await writeUntilFull(file, Buffer.alloc(bytes));
      } finally {
        await file.close();
      }
    },
    free: () => rm(ballast, { force: true }),
  };
}

async function writeUntilFull(file: Awaited<ReturnType<typeof open>>, chunk: Buffer): Promise<void> {
  for (let written = 0; written <= MEGABYTES * 1024 * 1024; written += chunk.length) {
    try {
      await file.write(chunk);
    } catch (thrown) {
      if (systemCodeOf(thrown) === 'ENOSPC') return;
      throw thrown;
    }
  }
}
