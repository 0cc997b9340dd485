import { signHostPolicy } from '@edgeward/host-agent/protocol';
import type { CompiledPolicy } from '@edgeward/policy';
import type { SigningKey } from '@edgeward/policy-format';
import type { Clock } from '@edgeward/runtime';

/**
 * The newest policy of each host, signed, until the host comes for it. It is signed when it is first asked for: a host that
 * is away costs nothing. Which policy that is, is decided elsewhere; whoever asks is who he says.
 */
export interface PolicyShelf {
  /** Wakes whoever waits for this point. Putting the same one again changes nothing. */
  put(policy: CompiledPolicy): void;
  /** Null before the first. */
  revisionOf(point: string): number | null;
  newest(point: string): Promise<ShelvedPolicy | null>;
  /** Until something else than `etag` (null: anything) is here; resolves at the latest after `ms`, or when `signal` is aborted. */
  wait(point: string, etag: string | null, ms: number, signal: AbortSignal): Promise<void>;
  /** Requests that wait now. */
  waiting(): number;
}

export interface ShelvedPolicy {
  bytes: Uint8Array;
  /** Without quotes: `7-0123456789abcdef`. */
  etag: string;
}

interface Shelved {
  policy: CompiledPolicy;
  issuedAt: string;
  etag: string;
  signed: Promise<Uint8Array> | null;
}

export function createPolicyShelf({ key, clock }: { key: SigningKey; clock: Clock }): PolicyShelf {
  const shelf = new Map<string, Shelved>();
  const waiters = new Map<string, Set<() => void>>();
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
      shelf.set(policy.point, { policy, issuedAt: nextIssue(), etag, signed: null });
      for (const wake of waiters.get(policy.point) ?? []) wake();
    },
    revisionOf: (point) => shelf.get(point)?.policy.revision ?? null,
    async newest(point) {
      const found = shelf.get(point);
      if (found === undefined) return null;
      found.signed ??= signHostPolicy(found.policy, found.issuedAt, key);
      return { bytes: await found.signed, etag: found.etag };
    },
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

function etagOf({ revision, hash }: CompiledPolicy): string {
  return `${revision}-${hash.slice(0, 16)}`;
}
