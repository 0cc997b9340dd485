import type { PolicyCache } from '@edgeward/policy-cache';
import type { Clock } from '@edgeward/runtime';

/**
 * Writes what was published to disk, in the background and the newest only: a point never waits for the disk that holds
 * a second copy. Gathering 100,000 documents holds the event loop for 50 ms, so a large one lets the push go first.
 */
export interface SnapshotSaving {
  save(snapshot: PendingSnapshot): void;
  /** Waits until the newest is written. */
  close(): Promise<void>;
}

type Snapshot = Parameters<PolicyCache['saveSnapshot']>[0];

interface PendingSnapshot {
  documents: number;
  gather(): Snapshot;
}

const LARGE = 5000;
const PUSH_FIRST_MS = 250;

/** `write` must not throw. */
export function createSnapshotSaving(clock: Clock, write: (gather: () => Snapshot) => Promise<void>): SnapshotSaving {
  let unsaved: PendingSnapshot | null = null;
  let saving: Promise<void> = Promise.resolve();
  let closing = false;
  let hurry = (): void => {};

  async function pushFirst(): Promise<void> {
    if (closing || unsaved === null || unsaved.documents < LARGE) return;
    await new Promise<void>((resolve) => {
      const cancel = clock.after(PUSH_FIRST_MS, resolve);
      hurry = () => {
        cancel();
        resolve();
      };
    });
  }

  async function saveNewest(): Promise<void> {
    await pushFirst();
    const newest = unsaved;
    unsaved = null;
    if (newest !== null) await write(newest.gather);
  }

  return {
    save(snapshot) {
      const idle = unsaved === null;
      unsaved = snapshot;
      if (idle) saving = saving.then(saveNewest);
    },
    close() {
      closing = true;
      hurry();
      return saving;
    },
  };
}
