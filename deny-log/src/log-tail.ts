/**
 * A log followed over renames, copy-and-truncate, restarts and whatever happened while nobody looked. Only whole lines
 * are handed out, each with the cursor after it; whoever takes a batch stores both together or throws the tail away and
 * makes a new one from the stored cursors. What may have been lost is said, never guessed. Nothing is kept in memory that
 * the cursors do not say.
 *
 * Compressed rotations are not read: rotate with `delaycompress`, or a collector that was down finds the file gone.
 */
import { type FSWatcher, watch } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { EdgewardError, messageOf, systemCodeOf } from '@edgeward/runtime';
import { type Candidate, type FileCursor, fileKey, type Loss, planScan, type ScanPlan } from './log-cursor.ts';
import { type FileRead, type LogFile, openLogFile } from './log-file.ts';

export interface LogBatch {
  lines: Buffer[];
  cursors: CursorChange[];
  losses: Loss[];
}

export interface CursorChange {
  /** The offset that must be stored now for the change to hold; null: no cursor. */
  from: number | null;
  cursor: FileCursor;
}

export interface LogTail {
  /** What to store next, or null when everything there is was handed out. One call at a time. */
  next(): Promise<LogBatch | null>;
  /** Settles when there may be more, or after the poll interval. */
  changed(): Promise<void>;
  lagBytes(): number;
  /** By the last look there was no folder: nobody knows what is in it, or where NGINX writes. A log that is not there yet is none. */
  isFolderAway(): boolean;
  /**
   * The same as of now, without reading on: for who has no room for more. A file that takes the place of another one is
   * opened meanwhile, so that it can still be read when it is deleted. Not while `next` is under way.
   */
  look(): Promise<number>;
  close(): Promise<void>;
}

export interface LogTailOptions {
  file: string;
  cursors: readonly FileCursor[];
  now: () => number;
  /** Aborted, `changed` settles at once. */
  signal: AbortSignal;
  pollIntervalMs?: number | undefined;
  /** How long a file that was rotated away must be quiet: a line may be on its way into it. */
  lingerMs?: number | undefined;
  /** For who can keep so many cursors: older files are not read, which is a loss where one was to be. All unless told. */
  mostFiles?: number | undefined;
}

/** A burst of writes gives one batch, not one each. */
const settleMs = 10;
const compressed = /\.(?:gz|bz2|xz|zst|lz4|tmp)$/;

export function createLogTail(options: LogTailOptions): LogTail {
  const stored = new Map(options.cursors.map((cursor) => [fileKey(cursor), cursor]));
  const { lingerMs = 60_000, mostFiles = Number.POSITIVE_INFINITY } = options;
  const hint = folderHint(options.file, options.pollIntervalMs ?? 250, options.signal);
  let files: LogFile[] = [];
  /** What stood at the path at the last scan; undefined before the first. */
  let scannedKey: string | null | undefined;
  /** Found by a look, and not handed out yet. */
  let looked: LogBatch[] = [];
  let folderAway = false;

  function handOut(read: FileRead | null, cursors: readonly FileCursor[], losses: Loss[]): LogBatch {
    const changes = cursors.map((cursor) => ({ from: stored.get(fileKey(cursor))?.offset ?? null, cursor }));
    for (const cursor of cursors) stored.set(fileKey(cursor), cursor);
    return { lines: read?.lines ?? [], cursors: changes, losses };
  }

  async function scan(): Promise<LogBatch | null> {
    const found = await openFound(options.file, files);
    folderAway = found === null;
    if (found === null) return null;
    const plan = planOf(found.candidates);
    const kept = new Map(plan.read.map(({ cursor }) => [fileKey(cursor), cursor]));
    const nowMs = options.now();
    files = plan.read.flatMap(({ candidate }) => {
      const file = found.files.find((other) => fileKey(other.cursor) === fileKey(candidate));
      return file === undefined ? [] : [file];
    });
    for (const file of files) {
      file.cursor = kept.get(fileKey(file.cursor)) ?? file.cursor;
      if (file.current || file.livelyMs === 0) file.livelyMs = nowMs;
      file.current = fileKey(file.cursor) === found.currentKey;
    }
    await closeAll(found.files.filter((file) => !files.includes(file)));
    // A file that is gone may have been between two names: look again.
    scannedKey = plan.losses.some((loss) => loss.cause === 'gone') ? undefined : found.currentKey;
    return plan.changed.length + plan.losses.length === 0 ? null : handOut(null, plan.changed, plan.losses);
  }

  function planOf(candidates: readonly Candidate[]): ScanPlan {
    const { newest, older } = newestOf(candidates, mostFiles);
    const plan = planScan([...stored.values()], newest);
    // Later a file without a cursor that is older than so many was read long ago.
    if (stored.size === 0)
      plan.losses.push(...older.map(({ inode }) => ({ cause: 'gone' as const, inode, offset: 0 })));
    return plan;
  }

  /** Rotated away, read to its end and quiet: what is left of it has no newline and never will. */
  async function retire(): Promise<LogBatch | null> {
    const file = files.find((other) => !other.current && options.now() - other.livelyMs >= lingerMs);
    if (file === undefined) return null;
    const rest = await file.readRest();
    if (rest === null) return null;
    files = files.filter((other) => other !== file);
    await file.close();
    return handOut(rest, [{ ...rest.cursor, state: 'done' }], []);
  }

  /** Without a log its folder may be away as well, which only a scan finds out. */
  async function hasMoved(): Promise<boolean> {
    const key = await keyAt(options.file);
    return key !== scannedKey || (key === null && (folderAway || !(await isThere(dirname(options.file)))));
  }

  async function read(): Promise<LogBatch | null> {
    for (const file of files) {
      const read = await file.read();
      if (read === 'changed') return scan();
      if (read === null) continue;
      file.cursor = read.cursor;
      file.livelyMs = options.now();
      return handOut(read, [read.cursor], []);
    }
    return null;
  }

  return {
    async next() {
      const batch = looked.shift() ?? (await read());
      if (batch !== null) return batch;
      return ((await hasMoved()) ? ((await scan()) ?? (await read())) : null) ?? retire();
    },
    changed: () => hint.wait(),
    lagBytes: () => files.reduce((sum, file) => sum + file.lagBytes, 0),
    isFolderAway: () => folderAway,
    async look() {
      const found = (await hasMoved()) ? await scan() : null;
      if (found !== null) looked.push(found);
      await Promise.all(files.map((file) => file.measure()));
      return files.reduce((sum, file) => sum + file.lagBytes, 0);
    },
    async close() {
      hint.close();
      looked = [];
      await closeAll(files);
      files = [];
    },
  };
}

/** The log itself is always among them. */
function newestOf(candidates: readonly Candidate[], most: number): { newest: Candidate[]; older: Candidate[] } {
  const ordered = candidates.toSorted((a, b) => Number(b.current) - Number(a.current) || b.modifiedMs - a.modifiedMs);
  return { newest: ordered.slice(0, most), older: ordered.slice(most) };
}

interface Found {
  files: LogFile[];
  candidates: Candidate[];
  currentKey: string | null;
}

/**
 * The files that are open already and those in the folder, each once. What is known is looked at before the folder is: a log
 * that was truncated by then was copied earlier, so its copy is in the folder. null: there is no folder now.
 */
async function openFound(path: string, known: readonly LogFile[]): Promise<Found | null> {
  const files = new Map(known.map((file) => [fileKey(file.cursor), file]));
  const candidates: Candidate[] = [];
  try {
    // The log's own path first: renamed in between, it is found again among the siblings, and is seen once all the same.
    const own = await openIfThere(path, true);
    const currentKey = own === null ? null : fileKey(own.cursor);
    if (own !== null) await keep(files, own);
    for (const [key, file] of files) candidates.push(await file.describe(key === currentKey));
    const names = await namesIn(path);
    if (names === null) {
      await closeAll(newOf(files, known));
      return null;
    }
    for (const name of names.filter((other) => isSibling(basename(path), other))) {
      const sibling = await openIfThere(join(dirname(path), name), false);
      if (sibling !== null && (await keep(files, sibling))) candidates.push(await sibling.describe(false));
    }
    return { files: [...files.values()], candidates, currentKey };
  } catch (thrown) {
    await closeAll(newOf(files, known));
    throw thrown;
  }
}

const newOf = (files: ReadonlyMap<string, LogFile>, known: readonly LogFile[]): LogFile[] =>
  [...files.values()].filter((file) => !known.includes(file));

async function namesIn(path: string): Promise<string[] | null> {
  return await readdir(dirname(path)).catch((thrown: unknown) => {
    if (isMissing(thrown)) return null;
    throw unreadable(path, thrown);
  });
}

/** Whether it was not there already. */
async function keep(files: Map<string, LogFile>, file: LogFile): Promise<boolean> {
  const key = fileKey(file.cursor);
  if (files.has(key)) await file.close();
  else files.set(key, file);
  return files.get(key) === file;
}

async function openIfThere(path: string, own: boolean): Promise<LogFile | null> {
  try {
    // Never open a pipe: it would wait for a writer for ever.
    if ((await stat(path)).isFile()) return await openLogFile(path);
    if (own) throw new Error('not a regular file');
    return null;
  } catch (thrown) {
    if (!own || isMissing(thrown)) return null;
    throw unreadable(path, thrown);
  }
}

const isMissing = (thrown: unknown): boolean => ['ENOENT', 'ENOTDIR'].includes(systemCodeOf(thrown) ?? '');

function unreadable(path: string, thrown: unknown): EdgewardError {
  return new EdgewardError('EDW_ERR_DENY_LOG_UNREADABLE', `opening the deny log ${path}: ${messageOf(thrown)}`, {
    cause: thrown,
    mend: 'Let the user that runs the collector read this file and its folder; no denial is lost meanwhile.',
  });
}

const isSibling = (base: string, name: string): boolean =>
  (name.startsWith(`${base}.`) || name.startsWith(`${base}-`)) && !compressed.test(name);

async function keyAt(path: string): Promise<string | null> {
  const found = await stat(path, { bigint: true }).catch(() => null);
  return found === null ? null : fileKey({ dev: String(found.dev), inode: String(found.ino) });
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** For whoever follows a log whose folder is away. */
export function folderAwayError(path: string): EdgewardError {
  const doing = `following the deny log ${path}: its folder is not there`;
  return new EdgewardError('EDW_ERR_DENY_LOG_UNREADABLE', doing, {
    mend: 'Make the folder, or name the right file; lines are read as soon as it is there.',
  });
}

async function closeAll(files: readonly LogFile[]): Promise<void> {
  await Promise.all(files.map((file) => file.close()));
}

/** Watching is a hint that may be missing or late; the poll is what counts. Neither keeps the process alive. */
function folderHint(
  path: string,
  pollIntervalMs: number,
  signal: AbortSignal,
): { wait(): Promise<void>; close(): void } {
  const base = basename(path);
  let watcher: FSWatcher | null = null;
  let hinted = false;
  let settle = (): void => {};
  let timer: NodeJS.Timeout | undefined;

  const settleIn = (delayMs: number): void => {
    clearTimeout(timer);
    timer = setTimeout(settle, delayMs).unref();
  };
  const onEvent = (name: string | null): void => {
    if (hinted || (name !== null && !name.startsWith(base))) return;
    hinted = true;
    settleIn(settleMs);
  };
  const observe = (): void => {
    try {
      watcher ??= watch(dirname(path), { persistent: false }, (_event, name) => onEvent(name)).on('error', () => {
        watcher?.close();
        watcher = null;
      });
    } catch {
      watcher = null;
    }
  };
  const stop = (): void => {
    watcher?.close();
    clearTimeout(timer);
    settle();
  };
  signal.addEventListener('abort', stop, { once: true });
  return {
    async wait() {
      if (signal.aborted) return;
      observe();
      await new Promise<void>((resolve) => {
        settle = resolve;
        settleIn(hinted ? settleMs : pollIntervalMs);
      });
      hinted = false;
    },
    close() {
      signal.removeEventListener('abort', stop);
      stop();
    },
  };
}
