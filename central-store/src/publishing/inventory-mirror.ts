/**
 * `inventory.ndjson` in the mirror: names of workloads for services that follow a copy of it. Written at most twice a minute,
 * and replaced whole. A copy for everybody leaves it out: it says who is where in the whole estate.
 */
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, type Logger, messageOf, repeatedly, unfinishedSuffix } from '@edgeward/runtime';
import { inventoryText, type Workloads } from './inventory-text.ts';

export interface InventoryMirrorOptions {
  /** The mirror. */
  dir: string;
  workloads: Workloads;
  /** Another number whenever something came into force. */
  changes: () => number;
  clock: Clock;
  logger: Logger;
}

const LOOK_MS = 1_000;
const KEEP_MS = 30_000;

/** The answer ends it, when what is being written is written. */
export function mirrorInventory({
  dir,
  workloads,
  changes,
  clock,
  logger,
}: InventoryMirrorOptions): () => Promise<void> {
  const path = join(dir, 'inventory.ndjson');
  let written: { changes: number; atMs: number } | null = null;
  let writing: Promise<void> | null = null;

  async function write(): Promise<void> {
    const draft = `${path}.${process.pid}${unfinishedSuffix}`;
    // Noted first: what can't be written now is tried again in half a minute, or with the next change after it.
    written = { changes: changes(), atMs: clock.now() };
    try {
      const file = await open(draft, 'w', 0o640);
      try {
        for await (const piece of inventoryText(workloads)) await file.write(piece);
      } finally {
        await file.close();
      }
      await rename(draft, path);
    } catch (thrown) {
      written = { changes: -1, atMs: clock.now() };
      logger.warn({ event: 'inventory_not_mirrored', err: thrown }, messageOf(thrown));
      await rm(draft, { force: true }).catch(() => {});
    }
  }

  const stop = repeatedly(clock, LOOK_MS, () => {
    const now = changes();
    // Nothing was ever in force: what an earlier process left is as good.
    if (writing !== null || now === 0 || written?.changes === now) return;
    if (written !== null && clock.now() - written.atMs < KEEP_MS) return;
    writing = write().finally(() => {
      writing = null;
    });
  });
  return async () => {
    stop();
    await writing;
  };
}
