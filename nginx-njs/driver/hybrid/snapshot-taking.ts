import type { CompiledPolicy } from '@edgeward/policy';
import { EdgewardError } from '@edgeward/runtime';
import type { NginxProcess } from '../process/index.ts';
import type { SnapshotFolder } from '../snapshot/index.ts';
import type { CleanFlags } from './clean-flags.ts';
import { emptyFiles, snapshotFiles } from './snapshot-files.ts';

/**
 * One snapshot, from its files to the reload that brings it into force. Killed between any two steps it leaves flags that
 * are right: they are made before the zone is claimed, so whoever writes a policy afterwards finds them, and they go again
 * when the zone holds another policy than the snapshot. Nothing here decides when.
 */
export interface SnapshotParts {
  folder: SnapshotFolder;
  flags: CleanFlags;
  nginx: NginxProcess;
  isCached: boolean;
  /** Snapshots that stay on disk beside the one in force. */
  keep: number;
  /** Makes this service the one who writes the zone; what is in force then, by its hash. */
  claim(): Promise<string | null>;
}

/** The policy in force is another one by now: there is nothing to take a snapshot of. */
export type Taken = { state: 'taken'; generation: string } | { state: 'overtaken' };

/** Throws EDW_ERR_NGINX_CONFIG, EDW_ERR_NGINX_RELOAD, EDW_ERR_NGINX_PROCESS, EDW_ERR_STATE_WRITE, EDW_ERR_SNAPSHOT_FLAGS. */
export async function takeSnapshot(
  parts: SnapshotParts,
  policy: CompiledPolicy,
  { inForce, nowMs }: { inForce: string; nowMs: number },
): Promise<Taken> {
  const { folder, flags, nginx, isCached } = parts;
  const before = await folder.current();
  // What reloads that failed have left.
  await flags.keepOnly([inForce, ...(before === null ? [] : [before])]);
  await folder.collect(parts.keep);
  const generation = await folder.nextGeneration(nowMs);
  await folder.write(
    await snapshotFiles(policy, {
      generation,
      folder: folder.path,
      flags: flags.folderOf(generation, isCached),
      isCached,
    }),
  );
  await flags.raise(generation, isCached, vouchedFor(policy));
  if ((await parts.claim()) !== policy.hash) {
    await drop(parts, generation, before);
    return { state: 'overtaken' };
  }
  await folder.switchTo(generation);
  await nginx.test().catch(async (cause: unknown) => {
    await drop(parts, generation, before);
    throw cause;
  });
  // From here on the new one stays, also when the reload fails: it is right, and the next start of NGINX takes it.
  await nginx.reload();
  await flags.keepOnly([generation, inForce]);
  await folder.collect(parts.keep);
  return { state: 'taken', generation };
}

/** Whether this is, to the letter, what would be written of this policy now. */
export async function isAsWritten(
  policy: CompiledPolicy,
  {
    generation,
    folder,
    flags,
    isCached,
  }: Pick<SnapshotParts, 'folder' | 'flags' | 'isCached'> & { generation: string },
): Promise<boolean> {
  const taken = await folder.takenOf(generation);
  if (taken?.hash !== policy.hash) return false;
  const place = { generation, folder: folder.path, flags: flags.folderOf(generation, isCached), isCached };
  return folder.holds(await snapshotFiles({ ...policy, revision: taken.revision }, place));
}

/** Where nothing was taken yet: NGINX can't start without the files that it includes. */
export async function layFirstSnapshot(
  folder: SnapshotFolder,
  flags: CleanFlags,
  isCached: boolean,
  nowMs: number,
): Promise<void> {
  if ((await folder.current()) !== null) return;
  const generation = await folder.nextGeneration(nowMs);
  await folder.write(
    emptyFiles({ generation, folder: folder.path, flags: flags.folderOf(generation, isCached), isCached }),
  );
  await folder.switchTo(generation);
}

function vouchedFor(policy: CompiledPolicy): CompiledPolicy['objects'] {
  return policy.objects.filter(({ protocol }) => protocol === 'http');
}

/** Its files stay until newer ones are there: a name that somebody's reload may have taken up is never given again. */
async function drop({ folder, flags }: SnapshotParts, generation: string, before: string | null): Promise<void> {
  await flags.drop(generation);
  if (before !== null) await folder.switchTo(before);
}

/** What stands in the way of snapshots, in the words of an error. */
export function notIncluded(point: string, folder: string, found: string): EdgewardError {
  const message =
    found === ''
      ? 'its NGINX does not include hybrid.conf'
      : `its NGINX includes the snapshots of ${found}, not of ${folder}`;
  return new EdgewardError('EDW_ERR_SNAPSHOT_INCLUDE', `keeping snapshots for ${point}: ${message}`, {
    mend: 'Run `edgeward nginx snippets` for this point again, and reload NGINX. Until then every request is judged by the module, as in mode live.',
  });
}
