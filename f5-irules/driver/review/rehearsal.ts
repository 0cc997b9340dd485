import { createHash } from 'node:crypto';
import { CLUSTER, DEVICE_GROUPS, GROUP_FILES, IN_PARTITION, inPartition, SYNC_STATUS } from '../box-paths.ts';
import { type Icontrol, type Json, objectPath } from '../icontrol/index.ts';
import { PARTITION } from '../layout/index.ts';

/**
 * Boxes that are read and never written: a write is noted, and what is read afterwards is as if it had been made. So the
 * driver itself can be asked what it would do, call by call. Only GETs reach a box. Good for what the driver writes: objects
 * of the partition Edgeward, by their names.
 */
export interface Rehearsal {
  /** In the order of those that were given. */
  boxes: Icontrol[];
  /** What would have been sent, in order. */
  calls(): PlannedCall[];
}

export interface PlannedCall {
  method: 'POST' | 'PATCH' | 'DELETE';
  /** Below `/mgmt/`; `*` is what the box will name. */
  path: string;
  /** Of the body. */
  bytes: number;
}

/** What a write would have left, by collection and name; null: it would be gone. */
type Written = Map<string, Map<string, Json | null>>;

interface Stage {
  calls: PlannedCall[];
  written: Written;
  /** SHA-1 and size of files that would be uploaded, by what `sourcePath` takes. */
  uploads: Map<string, string>;
  /** The other units would hold the same. */
  synced: boolean;
  automatic: boolean;
}

const CHUNK_BYTES = 512 * 1024;
const IN_SYNC = { entries: { all: { nestedStats: { entries: { status: { description: 'In Sync' } } } } } };

export function rehearse(boxes: readonly Icontrol[]): Rehearsal {
  const stage: Stage = { calls: [], written: new Map(), uploads: new Map(), synced: false, automatic: false };
  /** The one that is written to: its writes are seen on it alone until they are synced. */
  let writer: Icontrol | null = null;
  const seenAt = (box: Icontrol): Written | null =>
    writer === box || stage.synced || stage.automatic ? stage.written : null;
  const note = (box: Icontrol, method: PlannedCall['method'], path: string, bytes: number): void => {
    writer ??= box;
    stage.calls.push({ method, path, bytes });
  };
  return { boxes: boxes.map((box) => rehearsedBox(box, stage, seenAt, note)), calls: () => [...stage.calls] };
}

function rehearsedBox(
  box: Icontrol,
  stage: Stage,
  seenAt: (box: Icontrol) => Written | null,
  note: (box: Icontrol, method: PlannedCall['method'], path: string, bytes: number) => void,
): Icontrol {
  const found = async (path: string, query?: Record<string, string>): Promise<Json | null> => {
    const [collection, name] = placeOf(path);
    const written = seenAt(box)?.get(collection)?.get(name);
    return written === undefined ? box.get(path, query) : written;
  };
  const keep = (collection: string, name: string, object: Json | null): void => {
    const names = stage.written.get(collection) ?? new Map<string, Json | null>();
    stage.written.set(collection, names.set(name, object));
  };
  return {
    url: box.url,
    version: () => box.version(),
    close: () => box.close(),
    get: async (path, query) =>
      path === SYNC_STATUS && stage.calls.length > 0 && (stage.synced || stage.automatic)
        ? IN_SYNC
        : found(path, query),
    async list(path, query) {
      const items = await box.list(path, query);
      if (path === DEVICE_GROUPS)
        stage.automatic = items.some(({ type, autoSync }) => type === 'sync-failover' && autoSync === 'enabled');
      const written = query?.$filter === IN_PARTITION ? seenAt(box)?.get(path) : undefined;
      if (written === undefined) return items;
      return [
        ...items.filter(({ name }) => !written.has(String(name))),
        ...[...written.values()].filter((it) => it !== null),
      ];
    },
    async create(path, body) {
      note(box, 'POST', path, sizeOf(body));
      const name = String(body.name);
      const object = { ...body, fullPath: inPartition(name), generation: 1, ...fileOf(stage, path, body) };
      keep(path, name, object);
      return object;
    },
    async modify(path, body) {
      const before = (await found(path)) ?? {};
      note(box, 'PATCH', path, sizeOf(body));
      const [collection, name] = placeOf(path);
      const object = { ...before, ...body, generation: Number(before.generation) + 1, ...fileOf(stage, path, body) };
      keep(collection, name, object);
      return object;
    },
    async remove(path) {
      note(box, 'DELETE', path, 0);
      keep(...placeOf(path), null);
      return true;
    },
    async upload(file, totalBytes, pieces) {
      for (let start = 0; start < totalBytes; start += CHUNK_BYTES)
        note(box, 'POST', `shared/file-transfer/uploads/${file}`, Math.min(CHUNK_BYTES, totalBytes - start));
      const sourcePath = `file:/var/config/rest/downloads/${file}`;
      stage.uploads.set(sourcePath, `SHA1:${totalBytes}:${sha1Of(pieces)}`);
      return sourcePath;
    },
    async validate({ method, path, body }) {
      note(box, 'POST', 'tm/transaction', sizeOf({}));
      note(box, method, path, sizeOf(body));
      note(box, 'PATCH', 'tm/transaction/*', sizeOf({ state: 'VALIDATING', validateOnly: true }));
      note(box, 'DELETE', 'tm/transaction/*', 0);
    },
    async run(path, body) {
      note(box, 'POST', path, sizeOf(body));
      if (path === CLUSTER) stage.synced = true;
      return {};
    },
    sent: () => ({ writes: stage.calls.length, bytes: stage.calls.reduce((sum, { bytes }) => sum + bytes, 0) }),
  };
}

/** The collection, and the name within our partition; a name that is not of it is found nowhere among what was written. */
function placeOf(path: string): [collection: string, name: string] {
  const end = path.lastIndexOf('/');
  const [collection, last] = [path.slice(0, end), path.slice(end + 1)];
  const name = last.startsWith(`~${PARTITION}~`) ? last.slice(PARTITION.length + 2) : '';
  return name !== '' && objectPath(collection, inPartition(name)) === path ? [collection, name] : [path, ''];
}

function fileOf(stage: Stage, path: string, { sourcePath }: Json): Json {
  if (!path.startsWith(GROUP_FILES) || typeof sourcePath !== 'string') return {};
  return { checksum: stage.uploads.get(sourcePath) ?? '' };
}

function sizeOf(body: Json): number {
  return Buffer.byteLength(JSON.stringify(body));
}

function sha1Of(pieces: Iterable<Uint8Array>): string {
  const digest = createHash('sha1');
  for (const piece of pieces) digest.update(piece);
  return digest.digest('hex');
}
