import type { Snapshot } from '@edgeward/policy-cache';
import type { Clock } from '@edgeward/runtime';
import { jsonOf, type ReadyBuild } from './policy-build.ts';

/**
 * Writes what was published to disk, in the background and the newest only: a point never waits for the disk that holds
 * a second copy. Gathering 100,000 documents holds the event loop for 50 ms, so a large one lets the push go first.
 */
export interface SnapshotSaving {
  save(published: Published): void;
  /** Waits until the newest is written. */
  close(): Promise<void>;
}

/** What was published, and when. */
export interface Published {
  build: ReadyBuild;
  revision: number;
  changedAtMs: number;
}

const LARGE = 5000;
const PUSH_FIRST_MS = 250;

/** `write` must not throw. */
export function createSnapshotSaving(clock: Clock, write: (snapshot: Snapshot) => Promise<void>): SnapshotSaving {
  let unsaved: Published | null = null;
  let saving: Promise<void> = Promise.resolve();
  let closing = false;
  let hurry = (): void => {};

  async function pushFirst(): Promise<void> {
    if (closing || unsaved === null || unsaved.build.documents.length < LARGE) return;
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
    if (newest !== null) await write(snapshotOf(newest));
  }

  return {
    save(published) {
      const idle = unsaved === null;
      unsaved = published;
      if (idle) saving = saving.then(saveNewest);
    },
    close() {
      closing = true;
      hurry();
      return saving;
    },
  };
}

function snapshotOf(published: Published): Snapshot {
  const { build, revision, changedAtMs } = published;
  return {
    revision,
    contentHash: build.hash,
    takenAtMs: changedAtMs,
    documents: build.documents.map(({ value }) => jsonOf(value)),
  };
}
