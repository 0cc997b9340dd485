import { join } from 'node:path';
import { type Checkpoint, type SignedDocument, type SigningKey, sign } from '@edgeward/policy-format';
import {
  type Clock,
  EdgewardError,
  type Logger,
  makeFolder,
  messageOf,
  systemCodeOf,
  writeDurably,
} from '@edgeward/runtime';
import { entryOf, hashOf, lineOf, type NewEntry, parseEntry, type RecordEntry } from './entry.ts';
import { STORE } from './own-names.ts';
import { linesOf, segmentsIn } from './segments.ts';
import {
  CHECKPOINT_FILE,
  CHECKPOINT_TYP,
  type CheckpointPayload,
  damaged,
  findTail,
  readCheckpoint,
  type Tail,
} from './tail.ts';
import { openWriter, type Writer } from './writer.ts';

/**
 * The record of every attempt: append-only, chained, on disk before anything it tells of happens. Entries that wait at
 * the same time share one sync. It judges nothing, and forgets nothing.
 */
export interface AttemptRecord {
  /** Settles when the entry is on disk. Throws EDW_ERR_STORE_RECORD; then nothing may happen that it was to tell of. */
  append(entry: NewEntry): Promise<RecordEntry>;
  /** Of what is on disk. */
  checkpoint(): Checkpoint;
  /** The newest signed one, `edgeward-checkpoint/1`; null before the first. */
  signedCheckpoint(): SignedDocument | null;
  /** Signs one now, where there is something that none was signed for: an entry, or a newer trust root. Never throws. */
  sign(): Promise<void>;
  /** Entries with `seq` greater than `after`, at most `limit` of them. */
  read(options: { after: number; limit: number }): Promise<RecordEntry[]>;
  /** Signs a last checkpoint. */
  close(): Promise<void>;
}

export interface RecordOptions {
  /** The folder of segments; made where it is missing. One process at a time: the caller holds the lock. */
  dir: string;
  store: string;
  logKey: SigningKey;
  /** Version of the newest trust root: it is signed for as well, so that its file can't go unnoticed. */
  root: () => number;
  clock: Clock;
  logger: Logger;
  segmentBytes?: number;
}

const SEGMENT_BYTES = 8 * 1024 * 1024;
const CHECKPOINT_EVERY_MS = 60_000;
const CHECKPOINT_EVERY_ENTRIES = 1_000;
/** Entries in one answer, whatever is asked for. */
const MAX_READ = 10_000;

interface Waiting {
  entry: NewEntry;
  resolve(entry: RecordEntry): void;
  reject(thrown: unknown): void;
}

export async function openRecord(options: RecordOptions): Promise<AttemptRecord> {
  const { dir, clock, logger } = options;
  await makeFolder(dir);
  const tail = await findTail(dir);
  const lastSigned = await checkAgainstSigned(dir, tail);
  const writer = await openWriter(dir, tail, options.segmentBytes ?? SEGMENT_BYTES);
  const signing = checkpoints(options, lastSigned, () => state);
  let state: Checkpoint = { size: tail.size, hash: tail.hash };
  let waiting: Waiting[] = [];
  let flushing: Promise<void> | null = null;
  let closed = false;

  async function flush(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        const entries = await writeBatch(writer, batch, state, new Date(clock.now()).toISOString());
        state = entries.state;
        batch.forEach((it, i) => {
          const entry = entries.entries[i];
          if (entry !== undefined) it.resolve(entry);
        });
      } catch (thrown) {
        const error = notWritten(dir, thrown);
        logger.error({ event: 'record_not_written', entries: batch.length, error: messageOf(thrown) }, 'not written');
        for (const it of batch) it.reject(error);
      }
      await signing.sometimes();
    }
    flushing = null;
  }

  const record: AttemptRecord = {
    append(entry) {
      if (closed) return Promise.reject(notWritten(dir, new Error('the record is closed')));
      const appended = new Promise<RecordEntry>((resolve, reject) => {
        waiting.push({ entry, resolve, reject });
      });
      flushing ??= Promise.resolve().then(flush);
      return appended;
    },
    checkpoint: () => ({ ...state }),
    signedCheckpoint: () => signing.newest(),
    sign: () => signing.now(),
    read: ({ after, limit }) => readEntries(dir, after, Math.min(limit, MAX_READ), state.size),
    async close() {
      if (closed) return;
      closed = true;
      await flushing;
      await signing.close();
      await writer.close();
    },
  };
  if (tail.torn !== null) await tellOfTorn(record, tail.torn, logger);
  await signing.sometimes();
  return record;
}

async function writeBatch(
  writer: Writer,
  batch: readonly Waiting[],
  from: Checkpoint,
  at: string,
): Promise<{ entries: RecordEntry[]; state: Checkpoint }> {
  let { size, hash } = from;
  const lines: string[] = [];
  const entries = batch.map((it) => {
    const entry = entryOf(it.entry, size + 1, at, hash);
    const line = lineOf(entry);
    lines.push(`${line}\n`);
    size += 1;
    hash = hashOf(line);
    return entry;
  });
  await writer.write(Buffer.from(lines.join('')), from.size + 1);
  return { entries, state: { size, hash } };
}

async function tellOfTorn(record: AttemptRecord, torn: NonNullable<Tail['torn']>, logger: Logger): Promise<void> {
  logger.warn({ event: 'record_torn', ...torn }, 'a line that was never acknowledged was cut off');
  await record.append({
    actor: STORE,
    by: STORE,
    action: 'record.repair',
    target: `record/${torn.file}`,
    digest: torn.digest,
    outcome: 'allowed',
    reason: `a crash left ${torn.bytes} bytes of an entry that was never acknowledged; they were put aside`,
  });
}

/** The signed checkpoint that lies there, if the record still reaches it. */
async function checkAgainstSigned(dir: string, tail: Tail): Promise<SignedDocument | null> {
  let found: Awaited<ReturnType<typeof readCheckpoint>>;
  try {
    found = await readCheckpoint(dir);
  } catch (thrown) {
    throw damaged(dir, `${CHECKPOINT_FILE} can not be read: ${messageOf(thrown)}`, thrown);
  }
  if (found === null) return null;
  const { size, hash } = found.payload;
  if (size > tail.size) throw damaged(dir, `it ends at entry ${tail.size}, and ${size} were signed for`);
  if (size === tail.size && hash !== tail.hash) throw damaged(dir, `entry ${size} is not the one that was signed for`);
  return found.document;
}

interface Checkpoints {
  newest(): SignedDocument | null;
  now(): Promise<void>;
  sometimes(): Promise<void>;
  close(): Promise<void>;
}

/** A checkpoint that can not be written is told and tried again; no entry waits for it. */
function checkpoints(options: RecordOptions, last: SignedDocument | null, stateNow: () => Checkpoint): Checkpoints {
  const { dir, store, logKey, clock, logger } = options;
  let newest = last;
  let signedSize = -1;
  let signedRoot = 0;
  let signedAtMs = Number.NEGATIVE_INFINITY;
  let tail: Promise<void> = Promise.resolve();
  let cancel = (): void => {};

  async function signNow(): Promise<void> {
    const { size, hash } = stateNow();
    const root = options.root();
    if (size === 0 || (size === signedSize && root === signedRoot)) return;
    const payload: CheckpointPayload = {
      typ: CHECKPOINT_TYP,
      store,
      size,
      hash,
      at: new Date(clock.now()).toISOString(),
      root,
    };
    try {
      const document = await sign(payload, [logKey]);
      await writeDurably(join(dir, CHECKPOINT_FILE), `${JSON.stringify(document)}\n`);
      newest = document;
      signedSize = size;
      signedRoot = root;
      signedAtMs = clock.now();
    } catch (thrown) {
      logger.error({ event: 'checkpoint_not_written', error: messageOf(thrown) }, 'no checkpoint was written');
    }
  }

  function signInTurn(): Promise<void> {
    cancel();
    tail = tail.then(signNow);
    return tail;
  }

  return {
    newest: () => newest,
    now: signInTurn,
    async sometimes() {
      const { size } = stateNow();
      if (size === signedSize || size === 0) return;
      const dueMs = signedAtMs + CHECKPOINT_EVERY_MS - clock.now();
      if (signedSize < 0 || size - signedSize >= CHECKPOINT_EVERY_ENTRIES || dueMs <= 0) return await signInTurn();
      cancel();
      cancel = clock.after(dueMs, () => void signInTurn());
    },
    close: () => signInTurn(),
  };
}

async function readEntries(dir: string, after: number, limit: number, size: number): Promise<RecordEntry[]> {
  const out: RecordEntry[] = [];
  const segments = await segmentsIn(dir);
  const from = segments.findLastIndex((it) => it.first <= after + 1);
  for (const segment of segments.slice(Math.max(from, 0))) {
    for await (const line of linesOf(segment.path)) {
      const entry = line.text === null ? null : parseEntry(line.text);
      // What is being written now is not on disk yet.
      if (out.length >= limit || entry === null || entry.seq > size) return out;
      if (entry.seq > after) out.push(entry);
    }
  }
  return out;
}

const FULL = 'The disk of the store is full, and without a record nothing is done. Free some space.';

function notWritten(dir: string, thrown: unknown): EdgewardError {
  const code = systemCodeOf(thrown);
  const isFull = code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG';
  return new EdgewardError('EDW_ERR_STORE_RECORD', `writing the record of attempts in ${dir}: ${messageOf(thrown)}`, {
    mend: isFull ? FULL : 'Without a record nothing is done. Look at the disk of the store, then start it again.',
    cause: thrown,
  });
}
