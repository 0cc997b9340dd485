/**
 * What each sender of batches said of itself, and what it was refused last. Of this process alone: after a restart nobody was
 * heard yet, whatever the ledger has. Pure, but for what it keeps.
 */
import type { BatchHead, Waiting } from '@edgeward/deny-log';
import type { EdgewardError } from '@edgeward/runtime';
import { type StatusError, statusError } from '../collector-status.ts';

/** `all`: whatever its policy has. */
export type SpokenPoints = 'all' | readonly string[];

export interface SenderStatus {
  name: string;
  /** Of which it may speak. */
  points: SpokenPoints;
  /** Null: not since this process began. */
  heard: Heard | null;
  /** Why its last request was refused; null: it was taken. */
  error: StatusError | null;
}

interface Heard {
  /** ISO time, by our clock. */
  at: string;
  remote: string;
  epoch: string;
  /** The last number that it sent. */
  last: number;
  waiting: Waiting;
  /** How far its clock is ahead of ours, the way here included. */
  skewMs: number;
}

export interface SenderBook {
  heard(sender: string, head: BatchHead, remote: string, nowMs: number): void;
  refused(sender: string, status: number, error: EdgewardError, nowMs: number): void;
  all(): SenderStatus[];
}

export function createSenderBook(senders: ReadonlyMap<string, SpokenPoints>): SenderBook {
  const pages = new Map<string, SenderStatus>(
    [...senders].map(([name, points]) => [name, { name, points, heard: null, error: null }]),
  );
  return {
    heard(sender, { epoch, last, sentAt, waiting }, remote, nowMs) {
      const page = pages.get(sender);
      if (page === undefined) return;
      const skewMs = Date.parse(sentAt) - nowMs;
      page.heard = { at: new Date(nowMs).toISOString(), remote, epoch, last, waiting, skewMs };
      page.error = null;
    },
    refused(sender, status, error) {
      const page = pages.get(sender);
      // Not now is no trouble.
      if (page !== undefined && status !== 429) page.error = statusError(error);
    },
    all: () => [...pages.values()],
  };
}
