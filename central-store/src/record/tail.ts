import { type FileHandle, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Checkpoint, type Digest, digestOf, LIMITS, payloadOf, signedDocumentOf } from '@edgeward/policy-format';
import { EdgewardError, systemCodeOf, writeDurably } from '@edgeward/runtime';
import { FIRST_PREV, hashOf, parseEntry } from './entry.ts';
import { linesOf, type Segment, segmentsIn } from './segments.ts';

/**
 * Where a record goes on when it is opened. What a crash cut off is put aside and told, never dropped unseen. Whatever
 * else is wrong is damage, and nothing is written after damage.
 */
export interface Tail {
  segment: Segment | null;
  /** Of the last segment, up to its last whole entry. */
  bytes: number;
  size: number;
  hash: Digest;
  /** What was cut off, and where it was put. */
  torn: { bytes: number; digest: Digest; file: string } | null;
}

export async function findTail(dir: string): Promise<Tail> {
  const segments = await segmentsIn(dir);
  let tail: Tail = { segment: null, bytes: 0, size: 0, hash: FIRST_PREV, torn: null };
  // A crash can come between the making of a segment and its first entry; then the one before holds the end.
  const last = segments.slice(-2);
  for (const [i, segment] of last.entries()) {
    tail = await walk(dir, segment, tail.segment === null ? null : tail, i === last.length - 1);
  }
  return tail;
}

async function walk(dir: string, segment: Segment, before: Tail | null, isLast: boolean): Promise<Tail> {
  if (before !== null && segment.first !== before.size + 1)
    throw damaged(dir, `the segment that begins at entry ${segment.first} does not follow the one before`);
  let size = segment.first - 1;
  let hash = before?.hash ?? (size === 0 ? FIRST_PREV : null);
  let bytes = 0;
  for await (const line of linesOf(segment.path)) {
    const entry = line.whole && line.text !== null ? parseEntry(line.text) : null;
    if (entry === null || line.text === null) {
      if (!isLast) throw damaged(dir, `entry ${size + 1} can not be read`);
      return { segment, bytes, size, hash: hash ?? FIRST_PREV, torn: await putAside(dir, segment, bytes, size) };
    }
    if (entry.seq !== size + 1 || (hash !== null && entry.prev !== hash))
      throw damaged(dir, `entry ${size + 1} does not follow the one before`);
    size += 1;
    hash = hashOf(line.text);
    bytes = line.offset + Buffer.byteLength(line.text) + 1;
  }
  return { segment, bytes, size, hash: hash ?? FIRST_PREV, torn: null };
}

/** Only the end may be torn: a whole entry behind it was acknowledged once, and this is no crash. */
async function putAside(dir: string, segment: Segment, from: number, size: number): Promise<Tail['torn']> {
  const file = await open(segment.path, 'r+');
  try {
    const torn = await bytesFrom(file, from);
    const lines = torn.toString('utf8').split('\n').slice(0, -1);
    if (lines.some((line) => parseEntry(line) !== null)) throw damaged(dir, `entry ${size + 1} can not be read`);
    const digest = digestOf(torn);
    const name = `torn-${String(size + 1).padStart(16, '0')}-${digest.slice(0, 16)}`;
    await writeDurably(join(dir, name), torn);
    await file.truncate(from);
    await file.sync();
    return { bytes: torn.length, digest, file: name };
  } finally {
    await file.close();
  }
}

async function bytesFrom(file: FileHandle, from: number): Promise<Buffer> {
  const { size } = await file.stat();
  const bytes = Buffer.alloc(size - from);
  let got = 0;
  while (got < bytes.length) {
    const { bytesRead } = await file.read(bytes, got, bytes.length - got, from + got);
    if (bytesRead === 0) break;
    got += bytesRead;
  }
  return bytes.subarray(0, got);
}

export const CHECKPOINT_FILE = 'checkpoint.json';
export const CHECKPOINT_TYP = 'edgeward-checkpoint/1';

/** The payload of a signed checkpoint; its signature is not looked at here. */
export interface CheckpointPayload extends Checkpoint {
  typ: typeof CHECKPOINT_TYP;
  store: string;
  at: string;
  /** Version of the trust root that was the newest then. Those of before have none. */
  root?: number;
}

/** The signed checkpoint of a folder as it lies there, or null. */
export async function readCheckpoint(
  dir: string,
): Promise<{ document: ReturnType<typeof signedDocumentOf>; payload: CheckpointPayload } | null> {
  const text = await readFile(join(dir, CHECKPOINT_FILE), 'utf8').catch((thrown: unknown) => {
    if (systemCodeOf(thrown) === 'ENOENT') return null;
    throw thrown;
  });
  if (text === null) return null;
  const document = signedDocumentOf(JSON.parse(text));
  const payload = payloadOf(document, 'the checkpoint', LIMITS.headBytes);
  if (!isCheckpoint(payload)) throw new TypeError('the checkpoint has another form');
  return { document, payload };
}

function isCheckpoint(value: unknown): value is CheckpointPayload {
  if (typeof value !== 'object' || value === null) return false;
  const { typ, size, hash, store, at, root } = value as { [key: string]: unknown };
  return (
    (root === undefined || Number.isSafeInteger(root)) &&
    typ === CHECKPOINT_TYP &&
    Number.isSafeInteger(size) &&
    typeof hash === 'string' &&
    typeof store === 'string' &&
    typeof at === 'string'
  );
}

export function damaged(dir: string, what: string, cause?: unknown): EdgewardError {
  return new EdgewardError('EDW_ERR_STORE_RECORD', `opening the record of attempts in ${dir}: ${what}`, {
    mend: 'Somebody or something changed it. Run `edgeward store verify`, keep the folder as evidence, and restore it from a backup.',
    ...(cause === undefined ? {} : { cause }),
  });
}
