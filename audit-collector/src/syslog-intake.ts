/**
 * Between the connections of a listener and the ledger: messages gather for a moment and are stored as one batch. While
 * the ledger cannot be written they wait in a bounded memory; once that is full nobody reads on, and TCP holds the sender
 * up. Nothing is thrown away here but at the very end, and then it is said how much.
 */
import { backoff } from '@edgeward/runtime';
import type { DenyMessage } from './deny-message.ts';

export interface SyslogIntake {
  hasRoom(): boolean;
  /** `bytes` is the memory that it may take. */
  add(message: DenyMessage, bytes: number): void;
  /** Messages that wait. */
  waiting(): number;
  /** What the last attempt to store ended with; null: it was stored. */
  error(): unknown;
  /** Stores what waits. Answers how many messages no ledger took. */
  close(): Promise<number>;
}

export interface SyslogIntakeOptions {
  /** Stores all of it or rejects. One call at a time, and not with nothing. */
  store(messages: readonly DenyMessage[]): Promise<void>;
  /** There is room again. */
  onRoom(): void;
  onFailed(thrown: unknown): void;
  maxMessages?: number | undefined;
  maxBytes?: number | undefined;
}

/** Half of what is promised: the other half is for a busy process. */
const gatherMs = 25;
const maxBatch = 1_000;
/** Memory that a message takes beside its text. */
const overheadBytes = 1_024;

export function createSyslogIntake(options: SyslogIntakeOptions): SyslogIntake {
  const maxMessages = options.maxMessages ?? 10_000;
  const maxBytes = options.maxBytes ?? 32 * 1024 * 1024;
  const retry = backoff({ baseMs: 100, maxMs: 5_000 });
  let queue: { message: DenyMessage; bytes: number }[] = [];
  let heldBytes = 0;
  let timer: NodeJS.Timeout | undefined;
  let failed: unknown = null;
  let storing: Promise<void> | null = null;
  let closed = false;
  /** Somebody may have been told that there is no room. */
  let wasFull = false;

  const hasRoom = (): boolean => queue.length < maxMessages && heldBytes < maxBytes;

  async function storeBatch(): Promise<boolean> {
    const batch = queue.slice(0, maxBatch);
    try {
      await options.store(batch.map(({ message }) => message));
    } catch (thrown) {
      failed = thrown ?? new Error('storing failed');
      options.onFailed(thrown);
      return false;
    }
    queue = queue.slice(batch.length);
    heldBytes -= batch.reduce((sum, { bytes }) => sum + bytes, 0);
    failed = null;
    retry.reset();
    return true;
  }

  /** One batch at a time, so that connections and scrapes have their turn in between. */
  async function turn(): Promise<void> {
    if (queue.length === 0) return;
    const isStored = await storeBatch();
    if (closed) return;
    if (!isStored) return gather(retry.nextMs() + gatherMs);
    if (wasFull && hasRoom()) {
      wasFull = false;
      options.onRoom();
    }
    // After that: what came in at once waits for this.
    if (queue.length > 0) gather(queue.length >= maxBatch ? 0 : gatherMs);
  }

  function gather(delayMs: number): void {
    clearTimeout(timer);
    timer = setTimeout(() => {
      timer = undefined;
      storing = turn().finally(() => {
        storing = null;
      });
    }, delayMs);
  }

  return {
    hasRoom,
    add(message, bytes) {
      queue.push({ message, bytes: bytes + overheadBytes });
      heldBytes += bytes + overheadBytes;
      wasFull ||= !hasRoom();
      if (storing !== null) return; // Its end looks at what came meanwhile.
      if (timer === undefined) gather(gatherMs);
      else if (queue.length === maxBatch && failed === null) gather(0);
    },
    waiting: () => queue.length,
    error: () => failed,
    async close() {
      closed = true;
      clearTimeout(timer);
      await storing;
      while (queue.length > 0 && (await storeBatch()));
      const left = queue.length;
      [queue, heldBytes] = [[], 0];
      return left;
    },
  };
}
