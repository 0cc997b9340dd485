import { EXTERNAL_GROUPS, GROUP_FILES, IN_PARTITION, INTERNAL_GROUPS, inPartition } from './box-paths.ts';
import { boxText } from './box-text.ts';
import { type Icontrol, objectPath, recordsOf } from './icontrol/index.ts';
import { type DataRecord, groupName, REQUESTS_PREFIX, SOURCES_PREFIX } from './layout/index.ts';

/**
 * The groups in our partition that are named by their content. Whether one is whole is read off the group itself: its
 * records, or its file's checksum, must give its name. Nobody's memory of what was written is needed for that.
 */
export interface StoredGroup {
  name: string;
  storage: 'internal' | 'external';
  generation: number;
  /** Of an external one; null when what it refers to is not its own file, or that is gone. */
  file: StoredFile | null;
}

export interface StoredFile {
  generation: number;
  /** Hex; empty when the box reports none. */
  sha1: string;
}

/** What was found whole, by box and name: the generation then, and when. */
export type Verified = Map<string, { generation: string; atMs: number }>;

/** A group that was whole is looked at again after this, should a write ever have left its generation as it was. */
const BELIEVED_MS = 3_600_000;

const OWN_NAME = /^eg_[sr]_[0-9a-f]{20}$/;

/** By name; what is named otherwise is not ours. */
export async function listGroups(box: Icontrol): Promise<Map<string, StoredGroup>> {
  const groups = new Map<string, StoredGroup>();
  const query = { $filter: IN_PARTITION };
  for (const { name, generation } of await box.list(INTERNAL_GROUPS, { ...query, $select: 'name,generation' })) {
    const group = { name: String(name), storage: 'internal', generation: Number(generation), file: null } as const;
    if (OWN_NAME.test(group.name)) groups.set(group.name, group);
  }
  const externals = await box.list(EXTERNAL_GROUPS, { ...query, $select: 'name,generation,externalFileName' });
  const files = externals.length === 0 ? new Map<string, StoredFile>() : await listFiles(box);
  for (const { name, generation, externalFileName } of externals) {
    const own = String(name);
    if (!OWN_NAME.test(own)) continue;
    const file = externalFileName === inPartition(own) ? (files.get(own) ?? null) : null;
    groups.set(own, { name: own, storage: 'external', generation: Number(generation), file });
  }
  return groups;
}

export async function listFiles(box: Icontrol): Promise<Map<string, StoredFile>> {
  const files = await box.list(GROUP_FILES, { $filter: IN_PARTITION, $select: 'name,checksum,generation' });
  return new Map(
    files
      .filter(({ name }) => OWN_NAME.test(String(name)))
      .map(({ name, checksum, generation }) => [
        String(name),
        { sha1: sha1Of(checksum), generation: Number(generation) },
      ]),
  );
}

/** `SHA1:<size>:<hex>` */
function sha1Of(checksum: unknown): string {
  return /^SHA1:\d+:([0-9a-f]{40})$/.exec(String(checksum))?.[1] ?? '';
}

export type GroupState =
  | { state: 'whole' }
  /** Deleted since it was listed. */
  | { state: 'gone' }
  /** `records` for whoever knows what they should be; null of a file, which shows none. */
  | { state: 'damaged'; words: string; records: DataRecord[] | null }
  /** No write in place can make it ours. */
  | { state: 'foreign'; words: string };

/** Reads the group only if it changed since it was last found whole here. */
export async function examine(
  box: Icontrol,
  group: StoredGroup,
  verified: Verified,
  nowMs: number,
): Promise<GroupState> {
  const key = `${box.url} ${group.name}`;
  const generation = `${group.storage} ${group.generation} ${group.file?.generation ?? ''}`;
  const known = verified.get(key);
  if (known?.generation === generation && nowMs - known.atMs < BELIEVED_MS) return { state: 'whole' };
  const found = group.storage === 'external' ? examineFile(group) : await examineRecords(box, group.name);
  if (found.state === 'whole') verified.set(key, { generation, atMs: nowMs });
  else verified.delete(key);
  return found;
}

/** Names change with their content, and a service runs for years. */
export function forgetOld(verified: Verified, nowMs: number): void {
  for (const [key, { atMs }] of verified) if (nowMs - atMs > 2 * BELIEVED_MS) verified.delete(key);
}

/** A name holds the first digits of the SHA-1 of the file. */
export function isFileOf(name: string, file: StoredFile): boolean {
  return file.sha1 !== '' && file.sha1.startsWith(name.slice(SOURCES_PREFIX.length));
}

function examineFile({ name, file }: StoredGroup): GroupState {
  if (file !== null && isFileOf(name, file)) return { state: 'whole' };
  const words = file === null ? 'does not refer to its own file' : `has a file of another content (SHA-1 ${file.sha1})`;
  return { state: 'damaged', words, records: null };
}

async function examineRecords(box: Icontrol, name: string): Promise<GroupState> {
  const object = await box.get(objectPath(INTERNAL_GROUPS, inPartition(name)));
  if (object === null) return { state: 'gone' };
  const type = name.startsWith(REQUESTS_PREFIX) ? 'string' : 'ip';
  if (object.type !== type) return { state: 'foreign', words: `is of type ${boxText(object.type, 20)}, not ${type}` };
  const records = recordsOf(object);
  if (groupName(type, records) === name) return { state: 'whole' };
  return { state: 'damaged', words: `holds ${records.length} records that are not its own`, records };
}
