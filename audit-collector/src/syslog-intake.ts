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
  close(): number;
}

export interface SyslogIntakeOptions {
  /** Stores all of it or throws. Not called with nothing. */
  store(messages: readonly DenyMessage[]): void;
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

  const hasRoom = (): boolean => queue.length < maxMessages && heldBytes < maxBytes;

  function storeBatch(): boolean {
    const batch = queue.slice(0, maxBatch);
    try {
      options.store(batch.map(({ message }) => message));
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
  function turn(): void {
    timer = undefined;
    if (queue.length === 0) return;
    const wasFull = !hasRoom();
    const isStored = storeBatch();
    if (!isStored) gather(retry.nextMs() + gatherMs);
    else if (queue.length > 0) gather(queue.length >= maxBatch ? 0 : gatherMs);
    if (isStored && wasFull && hasRoom()) options.onRoom();
  }

  function gather(delayMs: number): void {
    clearTimeout(timer);
    timer = setTimeout(turn, delayMs);
  }

  return {
    hasRoom,
    add(message, bytes) {
      queue.push({ message, bytes: bytes + overheadBytes });
      heldBytes += bytes + overheadBytes;
      if (timer === undefined) gather(gatherMs);
      else if (queue.length === maxBatch && failed === null) gather(0);
    },
    waiting: () => queue.length,
    error: () => failed,
    close() {
      clearTimeout(timer);
      while (queue.length > 0 && storeBatch());
      const left = queue.length;
      [queue, heldBytes] = [[], 0];
      return left;
    },
  };
}
