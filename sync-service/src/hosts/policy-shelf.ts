import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { type PolicyFront, signHostPolicy, signHostPolicyHead, writeHostPolicy } from '@edgeward/host-agent/protocol';
import type { CompiledPolicy } from '@edgeward/policy';
import type { SigningKey } from '@edgeward/policy-format';
import { type Clock, createWorkQueue, type WorkQueue } from '@edgeward/runtime';
import { keptBytes } from './kept-bytes.ts';

/**
 * The newest policy of each host, until the host comes for it. It is written and signed when it is asked for, and kept like
 * that for a while only: a fleet that is away costs nothing, and one that comes at once has a turn each. Of a policy that a
 * host holds already under another number the head alone is signed, and nothing is written. Which policy is the newest is
 * decided elsewhere; whoever asks is who he says.
 */
export interface PolicyShelf {
  /** Wakes whoever waits for this point. Putting the same one again changes nothing. */
  put(policy: CompiledPolicy): void;
  /** Null before the first. */
  revisionOf(point: string): number | null;
  /** Without quotes: `7-0123456789abcdef`. Null before the first. */
  etagOf(point: string): string | null;
  newest(point: string, asked?: AskedPolicy): Promise<ShelvedPolicy | null>;
  /** Until something else than `etag` (null: anything) is here; resolves at the latest after `ms`, or when `signal` is aborted. */
  wait(point: string, etag: string | null, ms: number, signal: AbortSignal): Promise<void>;
  /** Requests that wait now. */
  waiting(): number;
}

interface AskedPolicy {
  /** By gzip, once for however many ask. */
  packed?: boolean;
  /** Whether the host holds the policy of this hash, under whatever number. */
  isHeld?: (hash: string) => boolean;
}

interface ShelvedPolicy {
  form: 'whole' | 'packed' | 'head';
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
  const fronts = new Map<string, PolicyFront>();
  const writing = createWorkQueue();
  const laneOf = lanes();
  let issuedMs = 0;

  /** Each is later than the one before: of two under one number a host believes the later one. */
  function nextIssue(): string {
    issuedMs = Math.max(clock.now(), issuedMs + 1);
    return new Date(issuedMs).toISOString();
  }

  /** What of its bytes does not hang on its number is worked out once for each policy, however often it gets another. */
  function frontOf(policy: CompiledPolicy): PolicyFront {
    const known = fronts.get(policy.point);
    if (known?.hash === policy.hash) return known;
    const { front } = writeHostPolicy(policy);
    fronts.set(policy.point, front);
    return front;
  }

  function headOf({ policy, issuedAt }: Shelved): Promise<Uint8Array> {
    return signHostPolicyHead(policy, frontOf(policy), issuedAt, key);
  }

  function wholeOf({ policy, issuedAt }: Shelved): Promise<Uint8Array> {
    const whole = writeHostPolicy(policy);
    fronts.set(policy.point, whole.front);
    return signHostPolicy(policy, issuedAt, key, whole);
  }

  async function made(found: Shelved, form: ShelvedPolicy['form']): Promise<Uint8Array> {
    const bytes = await writing.run(async () => {
      // All hosts ask at once after a change: between two of them everybody else has a turn.
      await setImmediate();
      return form === 'head' ? headOf(found) : wholeOf(found);
    });
    return form === 'packed' ? pack(bytes, { level: 5 }) : bytes;
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
    newest: (point, { packed = false, isHeld = () => false } = {}) =>
      laneOf(point).run(async () => {
        const found = shelf.get(point);
        if (found === undefined) return null;
        const form = isHeld(found.policy.hash) ? 'head' : packed ? 'packed' : 'whole';
        const { issuedAt, etag } = found;
        const place = `${point} ${form}`;
        const known = written.get(place, issuedAt);
        if (known !== null) return { form, bytes: known, etag };
        const bytes = await made(found, form);
        written.keep(place, issuedAt, bytes);
        return { form, bytes, etag };
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

/** Of the four threads that Node has for packing, one is left for files. */
const LANES = 3;

/** One policy after another, in a few rows; what is asked for twice waits in the same one, and is made once. */
function lanes(): (point: string) => WorkQueue {
  const queues = Array.from({ length: LANES }, () => createWorkQueue());
  const known = new Map<string, WorkQueue>();
  return (point) => {
    const lane = known.get(point) ?? queues[known.size % LANES] ?? createWorkQueue();
    known.set(point, lane);
    return lane;
  };
}

function etagOf({ revision, hash }: CompiledPolicy): string {
  return `${revision}-${hash.slice(0, 16)}`;
}
