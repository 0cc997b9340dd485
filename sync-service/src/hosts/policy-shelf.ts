import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { signHostPolicy } from '@edgeward/host-agent/protocol';
import type { CompiledPolicy } from '@edgeward/policy';
import type { SigningKey } from '@edgeward/policy-format';
import { type Clock, createWorkQueue } from '@edgeward/runtime';

/**
 * The newest policy of each host, until the host comes for it. It is written and signed when it is asked for, and kept like
 * that for a while only: a fleet that is away costs nothing, and one that comes at once has a turn each. Which policy that
 * is, is decided elsewhere; whoever asks is who he says.
 */
export interface PolicyShelf {
  /** Wakes whoever waits for this point. Putting the same one again changes nothing. */
  put(policy: CompiledPolicy): void;
  /** Null before the first. */
  revisionOf(point: string): number | null;
  /** Without quotes: `7-0123456789abcdef`. Null before the first. */
  etagOf(point: string): string | null;
  /** `packed`: by gzip, once for however many ask. */
  newest(point: string, packed?: boolean): Promise<ShelvedPolicy | null>;
  /** Until something else than `etag` (null: anything) is here; resolves at the latest after `ms`, or when `signal` is aborted. */
  wait(point: string, etag: string | null, ms: number, signal: AbortSignal): Promise<void>;
  /** Requests that wait now. */
  waiting(): number;
}

interface ShelvedPolicy {
  bytes: Uint8Array;
  etag: string;
}

interface Shelved {
  policy: CompiledPolicy;
  issuedAt: string;
  etag: string;
}

export interface PolicyShelfOptions {
  key: SigningKey;
  clock: Clock;
  /** Of what is kept as it is sent: 64 MiB. The same bytes can be made again at any time. */
  maxKeptBytes?: number;
}

const pack = promisify(gzip);

export function createPolicyShelf({ key, clock, maxKeptBytes = 64 * 1024 * 1024 }: PolicyShelfOptions): PolicyShelf {
  const shelf = new Map<string, Shelved>();
  const waiters = new Map<string, Set<() => void>>();
  const written = keptBytes(maxKeptBytes);
  const queue = createWorkQueue();
  let issuedMs = 0;

  /** Each is later than the one before: of two under one number a host believes the later one. */
  function nextIssue(): string {
    issuedMs = Math.max(clock.now(), issuedMs + 1);
    return new Date(issuedMs).toISOString();
  }

  return {
    put(policy) {
      const etag = etagOf(policy);
      if (shelf.get(policy.point)?.etag === etag) return;
      shelf.set(policy.point, { policy, issuedAt: nextIssue(), etag });
      for (const wake of waiters.get(policy.point) ?? []) wake();
    },
    revisionOf: (point) => shelf.get(point)?.policy.revision ?? null,
    etagOf: (point) => shelf.get(point)?.etag ?? null,
    newest: (point, packed = false) =>
      queue.run(async () => {
        const found = shelf.get(point);
        if (found === undefined) return null;
        const { policy, issuedAt, etag } = found;
        const place = `${point} ${packed ? 'gzip' : 'identity'}`;
        const known = written.get(place, issuedAt);
        if (known !== null) return { bytes: known, etag };
        // All hosts ask at once after a change: between two of them everybody else has a turn.
        await setImmediate();
        const signed = await signHostPolicy(policy, issuedAt, key);
        const bytes = packed ? await pack(signed, { level: 5 }) : signed;
        written.keep(place, issuedAt, bytes);
        return { bytes, etag };
      }),
    wait(point, etag, ms, signal) {
      if ((shelf.get(point)?.etag ?? null) !== etag || ms <= 0 || signal.aborted) return Promise.resolve();
      return new Promise((resolve) => {
        const woken = waiters.get(point) ?? new Set();
        waiters.set(point, woken);
        const wake = (): void => {
          cancel();
          signal.removeEventListener('abort', wake);
          woken.delete(wake);
          if (woken.size === 0) waiters.delete(point);
          resolve();
        };
        const cancel = clock.after(ms, wake);
        signal.addEventListener('abort', wake, { once: true });
        woken.add(wake);
      });
    },
    waiting: () => [...waiters.values()].reduce((sum, { size }) => sum + size, 0),
  };
}

interface KeptBytes {
  get(point: string, issuedAt: string): Uint8Array | null;
  keep(point: string, issuedAt: string, bytes: Uint8Array): void;
}

/** What was asked for least lately goes first. */
function keptBytes(max: number): KeptBytes {
  const kept = new Map<string, { issuedAt: string; bytes: Uint8Array }>();
  let total = 0;
  const drop = (point: string): void => {
    total -= kept.get(point)?.bytes.length ?? 0;
    kept.delete(point);
  };
  return {
    get(point, issuedAt) {
      const found = kept.get(point);
      if (found === undefined || found.issuedAt !== issuedAt) return null;
      kept.delete(point);
      kept.set(point, found);
      return found.bytes;
    },
    keep(point, issuedAt, bytes) {
      drop(point);
      kept.set(point, { issuedAt, bytes });
      total += bytes.length;
      for (const oldest of [...kept.keys()]) if (total > max) drop(oldest);
    },
  };
}

function etagOf({ revision, hash }: CompiledPolicy): string {
  return `${revision}-${hash.slice(0, 16)}`;
}
