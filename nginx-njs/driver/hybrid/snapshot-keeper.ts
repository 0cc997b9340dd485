import type { CompiledPolicy } from '@edgeward/policy';
import { EdgewardError, type Logger, messageOf } from '@edgeward/runtime';
import { type SnapshotHistory, type SnapshotRules, snapshotDueMs, withoutFuture } from './snapshot-plan.ts';
import { notIncluded, type SnapshotParts, takeSnapshot } from './snapshot-taking.ts';

/**
 * Keeps NGINX's native snapshot near the policy in force: looks after each change what is asked about that a snapshot
 * could say, and takes one when it is due. It never holds up a push, and what it can't do only makes NGINX slower.
 */
export interface SnapshotKeeper {
  /** This policy is in force. */
  applied(policy: CompiledPolicy): Promise<void>;
  /** Its files are not as they were written: nothing that it says counts from the next `applied` on. */
  spoiled(generation: string): void;
  status(): SnapshotStatus;
  /** Now, whatever the plan says. Throws what stands in the way. */
  take(): Promise<void>;
  close(): Promise<void>;
}

export interface SnapshotStatus {
  /** That NGINX answered by when it was asked last; null: none. */
  generation: string | null;
  /** When that was taken, by this service or the one before. */
  takenAt: number | null;
  /** Objects that NGINX asks the module about, and since when. */
  slow: { objects: number; since: number } | null;
  nextAt: number | null;
  /** Since the service started. */
  reloads: number;
  failures: number;
  lastError: { code: string; message: string; mend: string; at: number } | null;
}

/** What NGINX says that it includes. */
interface Included {
  /** Empty: none. */
  folder: string;
  generation: string;
}

export interface SnapshotKeeperOptions extends SnapshotParts {
  point: string;
  rules: SnapshotRules;
  included(): Promise<Included>;
  /** Whether a generation is what this version of the driver writes of this policy. */
  isAsWritten(generation: string, policy: CompiledPolicy): Promise<boolean>;
  logger: Logger;
  now?: () => number;
  after?: (delayMs: number, run: () => void) => () => void;
}

/** One that was overtaken is taken anew, and not as fast as policies may change. */
const LEAST_DELAY_MS = 1000;

export function createSnapshotKeeper(options: SnapshotKeeperOptions): SnapshotKeeper {
  const { point, rules, logger, flags } = options;
  const now = options.now ?? Date.now;
  const after = options.after ?? laterThan;
  const history: SnapshotHistory & { reloadsMs: number[] } = {
    slowSinceMs: null,
    lastChangeMs: 0,
    reloadsMs: [],
    failures: 0,
    lastFailureMs: 0,
  };
  const told = { generation: '', slow: 0, reloads: 0, failures: 0 };
  let lastError: SnapshotStatus['lastError'] = null;
  /** Whether that was all that failed: to look. */
  let isBlind = false;
  let policy: CompiledPolicy | null = null;
  let spoiled: string | null = null;
  /** Of this version of the driver, or compared with what it writes. */
  const own = new Set<string>();
  let cancel: () => void = () => {};
  let closed = false;
  let taking: Promise<void> | null = null;

  /**
   * What another version wrote may let in more than this one would, and stands for as long as its objects do not change.
   * Of one that is behind the policy nobody can say: it goes too.
   */
  async function mend({ folder, generation }: Included): Promise<void> {
    if (policy === null || folder !== options.folder.path || own.has(generation)) return;
    // Old workers may read one that is older still, and nobody looks at that.
    await ((await options.isAsWritten(generation, policy)) ? flags.keepOnly([generation]) : flags.lower([]));
    own.add(generation);
  }

  /** What NGINX asks about although a snapshot could say it. */
  async function look(): Promise<void> {
    const included = await options.included();
    if (included.folder !== options.folder.path) throw notIncluded(point, options.folder.path, included.folder);
    const standing = await flags.standing(included.generation);
    const objects = policy?.objects.filter((it) => it.protocol === 'http' && !it.bind.includes('/')) ?? [];
    told.generation = included.generation;
    told.slow = objects.filter(({ bind }) => !standing.has(bind)).length;
    history.slowSinceMs = told.slow === 0 ? null : (history.slowSinceMs ?? now());
  }

  async function lookAgain(): Promise<void> {
    if (spoiled !== null) await flags.drop(spoiled);
    spoiled = null;
    await mend(await options.included());
    await look();
    if (isBlind) succeeded();
  }

  function succeeded(): void {
    history.failures = 0;
    lastError = null;
    isBlind = false;
  }

  async function takeNow(): Promise<void> {
    const wanted = policy;
    if (wanted === null) return;
    await look();
    const taken = await takeSnapshot(options, wanted, { inForce: told.generation, nowMs: now() });
    if (taken.state === 'overtaken') return;
    own.add(taken.generation);
    reloaded();
    succeeded();
    await look();
    logger.info(
      { event: 'snapshot_taken', point, generation: taken.generation, revision: wanted.revision },
      'in force',
    );
  }

  function reloaded(): void {
    told.reloads += 1;
    history.reloadsMs = [...history.reloadsMs.slice(-rules.reloadsPerHour), now()];
  }

  function failed(cause: unknown): void {
    const { code, message, mend } = asError(cause);
    // It may have taken all the same, and closed connections.
    if (code === 'EDW_ERR_NGINX_RELOAD') reloaded();
    if (lastError?.code !== code) logger.warn({ event: 'snapshot_failed', point, code, mend }, message);
    lastError = { code, message, mend, at: now() };
    isBlind = false;
    history.failures += 1;
    history.lastFailureMs = now();
    told.failures += 1;
  }

  /** One at a time: whoever asks meanwhile gets the one that is under way. */
  function take(): Promise<void> {
    cancel();
    taking ??= takeNow().finally(() => {
      taking = null;
      schedule();
    });
    return taking;
  }

  function schedule(): void {
    cancel();
    const dueMs = dueAt();
    if (closed || dueMs === null || taking !== null) return;
    cancel = after(Math.max(LEAST_DELAY_MS, dueMs - now()), () => void take().catch(failed));
  }

  function dueAt(): number | null {
    // What could not be looked at is looked at again.
    const since = lastError === null ? history.slowSinceMs : (history.slowSinceMs ?? lastError.at);
    return policy === null ? null : snapshotDueMs({ ...history, slowSinceMs: since }, rules);
  }

  return {
    async applied(next) {
      Object.assign(history, withoutFuture(history, now()));
      if (next.hash !== policy?.hash) history.lastChangeMs = now();
      policy = next;
      await lookAgain().catch((cause: unknown) => {
        failed(cause);
        isBlind = true;
      });
      schedule();
    },
    spoiled: (generation) => {
      spoiled = generation;
    },
    status: () => ({
      generation: told.generation === '' ? null : told.generation,
      takenAt: takenAt(told.generation),
      slow: history.slowSinceMs === null ? null : { objects: told.slow, since: history.slowSinceMs },
      nextAt: dueAt(),
      reloads: told.reloads,
      failures: told.failures,
      lastError,
    }),
    take: () =>
      take().catch((cause: unknown) => {
        failed(cause);
        schedule();
        throw cause;
      }),
    async close() {
      closed = true;
      cancel();
      await taking?.catch(() => {});
    },
  };
}

/** Generations are named by their time. */
function takenAt(generation: string): number | null {
  return generation === '' ? null : Number.parseInt(generation.slice(1), 36);
}

function asError(cause: unknown): Pick<EdgewardError, 'code' | 'message' | 'mend'> {
  if (cause instanceof EdgewardError) return cause;
  return { code: 'EDW_ERR_INTERNAL', message: messageOf(cause), mend: 'This is a bug in the service: report it.' };
}

/** A timer of Node is at most 24 days; nothing here waits for more than an hour. */
function laterThan(delayMs: number, run: () => void): () => void {
  const timer = setTimeout(run, delayMs).unref();
  return () => clearTimeout(timer);
}
