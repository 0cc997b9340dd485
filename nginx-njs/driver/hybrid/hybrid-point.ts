import { resolve } from 'node:path';
import type { CompiledPolicy } from '@edgeward/policy';
import { EdgewardError, messageOf } from '@edgeward/runtime';
import { createNginxPoint, type NginxPoint, type NginxPointOptions } from '../nginx-point.ts';
import { createNginxProcess, type NginxProcessOptions } from '../process/index.ts';
import { createSnapshotFolder } from '../snapshot/index.ts';
import { lowerEverywhere } from './all-flags.ts';
import { createCleanFlags } from './clean-flags.ts';
import { createSnapshotKeeper, type SnapshotStatus } from './snapshot-keeper.ts';
import type { SnapshotRules } from './snapshot-plan.ts';
import { isAsWritten, layFirstSnapshot } from './snapshot-taking.ts';

/**
 * One NGINX in hybrid mode: everything that mode live does, and a native snapshot that lets in by itself whom it allows.
 * The zone always holds the whole policy, so what a snapshot can't say, or says no longer, is judged as in mode live. A
 * push first takes the flags of changed objects away and then switches, so that no verdict is ever of an older revision
 * than the switch. Plain connections (the stream module) are as in mode live.
 */
export interface HybridPointOptions extends NginxPointOptions {
  process: Omit<NginxProcessOptions, 'point'>;
  snapshot: SnapshotRules & {
    /** What NGINX includes. */
    folder: string;
    /** One file for each object that is as the snapshot has it; best in memory, `/run`. */
    flags: string;
    keep: number;
    /** Whether NGINX may remember for a second that a flag was there. A push then waits for that second. */
    cachedCheck: boolean;
  };
}

export interface HybridPoint extends NginxPoint {
  /** Lays what NGINX includes where it is not there, so that NGINX can start. */
  prepare(): Promise<void>;
  snapshot(): SnapshotStatus;
  /** Without waiting for a quiet moment. */
  takeSnapshot(): Promise<void>;
}

export function createHybridPoint(options: HybridPointOptions): HybridPoint {
  const { name, snapshot, logger } = options;
  refuseShared(name, snapshot);
  const flags = createCleanFlags(snapshot.flags);
  const folder = createSnapshotFolder(snapshot.folder);
  const point = createNginxPoint({
    ...options,
    snapshots: {
      folder: snapshot.folder,
      beforeSwitch: ({ objects }) => lowerEverywhere(folder.path, { folder: snapshot.flags, flags }, objects),
    },
  });
  const keeper = createSnapshotKeeper({
    point: name,
    folder,
    flags,
    nginx: createNginxProcess({ point: name, ...options.process }),
    isCached: snapshot.cachedCheck,
    keep: snapshot.keep,
    rules: snapshot,
    claim: point.claim,
    included: point.included,
    isAsWritten: (generation, policy) =>
      isAsWritten(policy, { generation, folder, flags, isCached: snapshot.cachedCheck }),
    logger,
  });
  let last: CompiledPolicy | null = null;
  /** Flags that vouch for what is not in force; 0 where nobody here knows what is. */
  const straying = async (hash: string): Promise<number> => (last?.hash === hash ? flags.straying(last.objects) : 0);
  const prepare = (): Promise<void> => layFirstSnapshot(folder, flags, snapshot.cachedCheck, Date.now());
  return {
    ...point,
    async apply(desired) {
      // Whatever stands in the way of snapshots, a push does not wait for it.
      await prepare().catch((cause: unknown) =>
        logger.warn({ event: 'snapshot_failed', point: name, cause: messageOf(cause) }, 'NGINX can not start anew'),
      );
      const applied = await point.apply(desired);
      last = desired;
      await keeper.applied(desired);
      return applied;
    },
    async inspect() {
      const actual = await point.inspect();
      const current = await folder.current();
      const differing = current === null ? null : await folder.differing(current);
      if (actual.state === 'empty') return actual;
      const drift = [...actual.drift];
      const stray = await straying(actual.hash);
      if (stray > 0) drift.push(`${stray} flags in ${snapshot.flags} vouch for what is not in force`);
      if (differing?.length === 0) return { ...actual, drift };
      if (current !== null) keeper.spoiled(current);
      return { ...actual, drift: [...drift, `the snapshot in ${folder.path} is not as it was written`] };
    },
    prepare,
    snapshot: keeper.status,
    takeSnapshot: keeper.take,
    async close() {
      await keeper.close();
      await point.close();
    },
  };
}

/** Both have a folder for each generation: flags would lie among what NGINX includes, and each would clear the other away. */
function refuseShared(point: string, { folder, flags }: HybridPointOptions['snapshot']): void {
  if (resolve(folder) !== resolve(flags)) return;
  throw new EdgewardError(
    'EDW_ERR_SNAPSHOT_FLAGS',
    `keeping the flags of ${point} in ${flags}: its snapshots are there`,
    {
      mend: 'Let `snapshot.flags` of this point be another folder than `snapshot.folder`, best in memory, below /run.',
    },
  );
}

/**
 * Takes away all that an NGINX in mode hybrid would believe. Whoever serves a point in another mode does it once, so that
 * NGINX finds none should it include the old snapshot again.
 */
export async function forgetSnapshots(flagsFolder: string): Promise<void> {
  await createCleanFlags(flagsFolder).lower([]);
}
