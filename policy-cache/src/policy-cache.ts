/**
 * What the service knows without its store. In memory: compiled policies by revision and point, the recently used ones.
 * On disk: the last-known-good source snapshot, from which everything else can be compiled again, so that grants end on
 * time also while the source is away; and the revision floor. A file is replaced by rename after its bytes are on disk, so
 * a reader sees the old content or the new, never half of either. Nothing here decides what to do when the store is away.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CompiledPolicy } from '@edgeward/policy';
import { type Logger, stateWriteError, takeStateLock, unfinishedSuffix } from '@edgeward/runtime';
import { LRUCache } from 'lru-cache';
import { weigh } from './policy-weight.ts';
import { openRevisionFloor } from './revision-floor.ts';
import { readSnapshot, type Snapshot, writeSnapshot } from './snapshot-file.ts';
import { keepPrevious, readNewest, revisionOf, type SnapshotAnswer, type SnapshotPaths } from './snapshot-pair.ts';

export interface PolicyCacheOptions {
  /** Created when missing, with mode 0700. One process at a time. */
  dir: string;
  logger: Logger;
  /** Compiled policies held in memory at most: 64. */
  maxPolicies?: number;
  /** About how much memory they take at most: 256 MiB. */
  maxPolicyBytes?: number;
}

export interface PolicyCache {
  remember(policy: CompiledPolicy): void;
  recall(revision: number, point: string): CompiledPolicy | null;
  /** Durable when it resolves, and the floor is at least its revision; the one before is kept as `.previous`. */
  saveSnapshot(snapshot: Snapshot): Promise<void>;
  /** The newest that is whole. `damaged` on a loaded one tells that a newer file was there and could not be used. */
  loadSnapshot(): Promise<SnapshotAnswer>;
  floor(): number;
  raiseFloor(revision: number): Promise<void>;
  /** Gives the folder to others. */
  close(): Promise<void>;
}

/** Throws EDW_ERR_STATE_WRITE where the folder cannot be written, EDW_ERR_STATE_IN_USE where another process has it. */
export async function openPolicyCache(options: PolicyCacheOptions): Promise<PolicyCache> {
  const { dir, logger } = options;
  await makeFolder(dir);
  const unlock = await takeStateLock(dir);
  try {
    await sweepUnfinished(dir);
    const paths = snapshotsIn(dir);
    const floor = await openRevisionFloor(join(dir, 'revision-floor'), () => revisionOf(paths));
    return {
      ...openMemory(options),
      ...openSnapshots(paths, floor.raise, logger),
      floor: floor.value,
      raiseFloor: floor.raise,
      close: unlock,
    };
  } catch (thrown) {
    await unlock();
    throw thrown;
  }
}

/**
 * The newest whole snapshot of a folder that another process may be writing to: no lock is taken and nothing is written.
 * Throws EDW_ERR_STATE_READ.
 */
export function readSnapshotOf(dir: string): Promise<SnapshotAnswer> {
  return readNewest(snapshotsIn(dir));
}

function snapshotsIn(dir: string): SnapshotPaths {
  return { newest: join(dir, 'snapshot.ndjson'), previous: join(dir, 'snapshot.ndjson.previous') };
}

function openMemory(options: PolicyCacheOptions): Pick<PolicyCache, 'remember' | 'recall'> {
  const maxSize = options.maxPolicyBytes ?? 256 * 1024 * 1024;
  const max = options.maxPolicies ?? 64;
  const policies = new LRUCache<string, CompiledPolicy>({ max, maxSize, sizeCalculation: weigh });
  return {
    remember(policy) {
      const { revision, point } = policy;
      policies.set(`${revision} ${point}`, policy);
      if (policies.has(`${revision} ${point}`)) return;
      const fields = { event: 'policy_not_cached', point, revision, bytes: weigh(policy), maxPolicyBytes: maxSize };
      options.logger.warn(
        fields,
        'the policy is larger than the whole cache; it is compiled again whenever it is needed',
      );
    },
    recall: (revision, point) => policies.get(`${revision} ${point}`) ?? null,
  };
}

function openSnapshots(
  paths: SnapshotPaths,
  raise: (revision: number) => Promise<void>,
  logger: Logger,
): Pick<PolicyCache, 'saveSnapshot' | 'loadSnapshot'> {
  let saving: Promise<void> = Promise.resolve();
  /** Null until somebody has looked. A damaged newest file must never take the place of a whole previous one. */
  let newestIsWhole: boolean | null = null;

  async function save(snapshot: Snapshot): Promise<void> {
    // The floor first: a crash in between skips a revision, which harms nobody; the other order could repeat one.
    await raise(snapshot.revision);
    newestIsWhole ??= (await readSnapshot(paths.newest)).state === 'loaded';
    if (newestIsWhole) await keepPrevious(paths);
    await writeSnapshot(paths.newest, snapshot);
    newestIsWhole = true;
    logger.debug({ event: 'snapshot_saved', revision: snapshot.revision }, 'saved');
  }

  return {
    saveSnapshot(snapshot) {
      saving = saving.catch(() => {}).then(() => save(snapshot));
      return saving;
    },
    async loadSnapshot() {
      await saving.catch(() => {});
      const answer = await readNewest(paths);
      const cause = answer.state === 'damaged' ? answer.cause : answer.state === 'loaded' ? answer.damaged : null;
      if (cause !== null) logger.error({ event: 'snapshot_damaged', usable: answer.state === 'loaded' }, cause);
      newestIsWhole = cause === null && answer.state === 'loaded';
      return answer;
    },
  };
}

async function makeFolder(dir: string): Promise<void> {
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw stateWriteError(dir, cause);
  }
}

/** What a process that was killed was still writing. The lock is held, so nobody is writing now. */
async function sweepUnfinished(dir: string): Promise<void> {
  for (const name of await readdir(dir)) {
    if (name.endsWith(unfinishedSuffix)) await rm(join(dir, name), { force: true });
  }
}
