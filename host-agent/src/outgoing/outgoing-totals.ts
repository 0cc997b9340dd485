/**
 * What this host began itself, since the agent's state began. Totals and the counters that they were made of are one file: after
 * a kill nothing is added twice, and what was counted meanwhile is added then. Only what is on disk is told, so that a total
 * that somebody saw never goes back. Nothing here throws for a disk: who counts must not hold up who denies.
 */
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeFolder, systemCodeOf, writeDurably } from '@edgeward/runtime';
import type { OutgoingCounter } from '../../driver/index.ts';
import type { HostOutgoing } from '../../protocol/host-report.ts';
import { beganAgain, countOn, isSameTotal, newCount, type OutgoingCount, readCount } from './outgoing-count.ts';

export interface OutgoingTotals {
  /** What the kernel says now. */
  take(counters: readonly OutgoingCounter[], nowMs: number): Promise<void>;
  /** As last written. */
  told(): HostOutgoing;
  /** What was taken is written. */
  close(): Promise<void>;
}

export interface OutgoingOptions {
  path: string;
  /** The kernel's id of this boot. */
  boot: string;
  /** A host begins something all the time: it is written no more often than this, unless counters began again. */
  everyMs: number;
  /** What could not be read or written; null when it could again. */
  trouble(thrown: unknown): void;
}

export async function openOutgoing({ path, boot, everyMs, trouble }: OutgoingOptions): Promise<OutgoingTotals> {
  let written = await readKnown(path, boot, trouble);
  let known = written;
  let writtenAtMs = Number.NEGATIVE_INFINITY;

  async function write(nowMs: number): Promise<void> {
    const writing = known;
    writtenAtMs = nowMs;
    try {
      await makeFolder(dirname(path));
      await writeDurably(path, JSON.stringify(writing));
      written = writing;
      trouble(null);
    } catch (thrown) {
      trouble(thrown);
    }
  }

  return {
    take: async (counters, nowMs) => {
      const before = known;
      known = countOn(known, counters);
      // A clock that was set back waits for nothing.
      const isDue = !isSameTotal(known, written) && Math.abs(nowMs - writtenAtMs) >= everyMs;
      if (isDue || beganAgain(before, known)) await write(nowMs);
    },
    told: () => written.totals,
    close: async () => {
      if (!isSameTotal(known, written)) await write(writtenAtMs);
    },
  };
}

async function readKnown(path: string, boot: string, trouble: OutgoingOptions['trouble']): Promise<OutgoingCount> {
  try {
    return readCount(await readFile(path, 'utf8'), boot);
  } catch (thrown) {
    if (systemCodeOf(thrown) !== 'ENOENT') trouble(thrown);
    return newCount(boot);
  }
}
