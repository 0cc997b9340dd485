import { EdgewardError, type Logger, messageOf } from '@edgeward/runtime';
import { EXTERNAL_GROUPS, GROUP_FILES, INTERNAL_GROUPS, inPartition, UNIX_RM } from './box-paths.ts';
import { type GroupState, isFileOf, listFiles, type StoredGroup } from './groups.ts';
import { type Icontrol, objectPath } from './icontrol/index.ts';
import { type DataGroup, PARTITION } from './layout/index.ts';

/**
 * Writes groups that are missing, and repairs those that somebody changed. A group in force can't be made anew without
 * a moment in which it is not there, so it is repaired in place: its records, or its file, are replaced by one write.
 */
export async function createGroup(box: Icontrol, group: DataGroup, logger: Logger): Promise<void> {
  if (group.storage === 'external') return createExternal(box, group, logger);
  const { name, type } = group;
  await unlessThere(box.create(INTERNAL_GROUPS, { name, partition: PARTITION, type, records: [...group.records()] }));
}

/** Throws EDW_ERR_BIGIP_GROUP for what no single write can mend. */
export async function repairGroup(
  box: Icontrol,
  { group, stored, found }: { group: DataGroup; stored: StoredGroup; found: GroupState },
  logger: Logger,
): Promise<void> {
  if (found.state === 'gone') return createGroup(box, group, logger);
  if (found.state === 'foreign') throw unrepairable(group, found.words);
  if (stored.storage === 'internal') {
    await box.modify(objectPath(INTERNAL_GROUPS, inPartition(group.name)), { records: [...group.records()] });
    return;
  }
  await placeFile(box, group, logger);
  // Boxes keep the old content of a file in force until the group itself is written.
  const path = objectPath(EXTERNAL_GROUPS, inPartition(group.name));
  await box.modify(path, { externalFileName: inPartition(group.name) });
}

async function createExternal(box: Icontrol, group: DataGroup, logger: Logger): Promise<void> {
  await placeFile(box, group, logger);
  const { name } = group;
  await unlessThere(box.create(EXTERNAL_GROUPS, { name, partition: PARTITION, externalFileName: inPartition(name) }));
}

/** An earlier attempt may have left the file, or half of it. */
async function placeFile(box: Icontrol, group: DataGroup, logger: Logger): Promise<void> {
  const { name, type } = group;
  const there = (await listFiles(box)).get(name);
  if (there !== undefined && isFileOf(name, there)) return;
  const sourcePath = await box.upload(name, group.bytes, inPieces(group));
  if (there === undefined) {
    await box.create(GROUP_FILES, { name, partition: PARTITION, type, separator: ':=', sourcePath });
  } else {
    await box.modify(objectPath(GROUP_FILES, inPartition(name)), { sourcePath });
  }
  await forgetUpload(box, name, logger);
}

/** The box has made its own copy. A role that may not run this leaves the upload to whoever cleans that folder. */
async function forgetUpload(box: Icontrol, name: string, logger: Logger): Promise<void> {
  const command = { command: 'run', utilCmdArgs: `/var/config/rest/downloads/${name}` };
  await box.run(UNIX_RM, command).catch((cause: unknown) => {
    logger.debug(
      { event: 'upload_left', box: box.url, file: name, cause: messageOf(cause) },
      'an upload was left behind',
    );
  });
}

const PIECE_BYTES = 128 * 1024;

/** Made anew for each reading, and a million lines are never held at once. */
function inPieces(group: DataGroup): Iterable<Uint8Array> {
  return { [Symbol.iterator]: () => pieces(group.lines()) };
}

/** A piece holds until the next is asked for. */
function* pieces(lines: Iterable<string>): Generator<Uint8Array> {
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  let used = 0;
  for (const line of lines) {
    if (used + line.length > PIECE_BYTES) {
      yield piece.subarray(0, used);
      used = 0;
    }
    // Longer than any value that a box takes, and yet not cut.
    if (line.length > PIECE_BYTES) yield Buffer.from(line, 'latin1');
    else used += piece.write(line, used, 'latin1');
  }
  if (used > 0) yield piece.subarray(0, used);
}

/** What stands there already is compared like everything that was written. */
async function unlessThere(creation: Promise<unknown>): Promise<void> {
  await creation.catch((cause: unknown) => {
    if (!(cause instanceof EdgewardError) || cause.code !== 'EDW_ERR_BIGIP_EXISTS') throw cause;
  });
}

/** Throws nothing for what is gone already. `in-use`: somebody's rule names it. */
export async function removeGroup(box: Icontrol, stored: StoredGroup): Promise<'removed' | 'in-use'> {
  const path = inPartition(stored.name);
  try {
    if (stored.storage === 'internal') await box.remove(objectPath(INTERNAL_GROUPS, path));
    else {
      await box.remove(objectPath(EXTERNAL_GROUPS, path));
      await box.remove(objectPath(GROUP_FILES, path));
    }
    return 'removed';
  } catch (cause) {
    if (cause instanceof EdgewardError && cause.code === 'EDW_ERR_BIGIP_IN_USE') return 'in-use';
    throw cause;
  }
}

function unrepairable(group: DataGroup, words: string): EdgewardError {
  const path = inPartition(group.name);
  return new EdgewardError('EDW_ERR_BIGIP_GROUP', `repairing the data group ${path}: it ${words}`, {
    mend: `Delete it: tmsh delete ltm data-group internal ${path}. Until then nothing new comes into force.`,
  });
}
