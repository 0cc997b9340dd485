/**
 * Writes a folder whole or not at all: beside its place, then renamed. What stands there already is only replaced when
 * it is an earlier export and nothing else, so that nobody's notes and no other folder are ever lost. A file is written
 * piece by piece and never held.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, mkdir, open, readdir, readFile, realpath, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { EdgewardError, messageOf, syncFolder, systemCodeOf, unfinishedSuffix } from '@edgeward/runtime';

export interface FolderFile {
  /** Below the folder, with `/`. */
  path: string;
  content: Iterable<string>;
  executable?: boolean;
}

export interface WrittenFile {
  path: string;
  bytes: number;
  sha256: string;
}

const MANIFEST = 'MANIFEST';

/** sha256sum skips it. */
const MANIFEST_HEAD = '# Edgeward change folder 1';

/** Throws EDW_ERR_OUT_FOLDER, and EDW_ERR_OUTPUT when the disk is full. Answers the files in the order written. */
export async function writeFolder(
  out: string,
  files: AsyncIterable<FolderFile> | Iterable<FolderFile>,
): Promise<WrittenFile[]> {
  const place = await requireFree(out);
  const unfinished = join(dirname(place), `.${basename(place)}.${randomBytes(6).toString('hex')}${unfinishedSuffix}`);
  try {
    await mkdir(unfinished, { mode: 0o755 });
    const written = await writeFiles(unfinished, files);
    await moveInto(place, unfinished);
    return written;
  } catch (thrown) {
    await rm(unfinished, { recursive: true, force: true }).catch(() => {}); // the first failure is the one to report
    // What making a file's content throws is no matter of the folder.
    throw /^E[A-Z]+$/.test(systemCodeOf(thrown) ?? '') ? outError(place, thrown) : thrown;
  }
}

/**
 * The real path of a place that may be written, or written over. Throws EDW_ERR_OUT_FOLDER for any other: whoever only
 * plans can ask first.
 */
export async function requireFree(out: string): Promise<string> {
  // A link to a folder stays one.
  const place = await realpath(out).catch(() => resolve(out));
  const found = await lstat(place).catch(() => null);
  if (found === null) return place;
  if (!found.isDirectory()) throw taken(place, 'it is no folder');
  const names = await orOutError(place, readdir(place));
  if (names.length === 0) return place;
  // Asked before anything below is listed: that may be a whole disk.
  const listed = await readManifest(place);
  if (listed === null) throw taken(place, 'it is not empty, and it is no earlier export');
  for (const name of await orOutError(place, filesIn(place))) {
    if (name === MANIFEST) continue;
    const digest = listed.get(name);
    if (digest === undefined) throw taken(place, `${JSON.stringify(name)} in it is not of an earlier export`);
    if ((await digestOf(join(place, name))) !== digest)
      throw taken(place, `${name} in it was changed since its export`);
  }
  return place;
}

async function writeFiles(
  folder: string,
  files: AsyncIterable<FolderFile> | Iterable<FolderFile>,
): Promise<WrittenFile[]> {
  const written: WrittenFile[] = [];
  for await (const file of files) written.push(await writeFile(folder, file));
  const lines = written.map(({ path, sha256 }) => `${sha256}  ${path}\n`);
  const manifest = { path: MANIFEST, content: [`${MANIFEST_HEAD}\n`, ...lines] };
  return [...written, await writeFile(folder, manifest)];
}

const PIECE_CHARS = 1 << 18;

async function writeFile(folder: string, { path, content, executable = false }: FolderFile): Promise<WrittenFile> {
  const target = join(folder, path);
  await mkdir(dirname(target), { recursive: true, mode: 0o755 });
  const file = await open(target, 'wx', executable ? 0o755 : 0o644);
  const digest = createHash('sha256');
  let bytes = 0;
  try {
    for (const piece of inPieces(content)) {
      const data = Buffer.from(piece, 'utf8');
      digest.update(data);
      bytes += data.length;
      await file.writeFile(data);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return { path, bytes, sha256: digest.digest('hex') };
}

function* inPieces(content: Iterable<string>): Generator<string> {
  let piece = '';
  for (const part of content) {
    piece += part;
    if (piece.length < PIECE_CHARS) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}

/** An earlier export is set aside first: a rename can't take the place of a folder that holds something. */
async function moveInto(place: string, unfinished: string): Promise<void> {
  const aside = `${unfinished}.old`;
  const stood = await rename(place, aside).then(
    () => true,
    (thrown: unknown) => {
      if (systemCodeOf(thrown) === 'ENOENT') return false;
      throw thrown;
    },
  );
  try {
    await rename(unfinished, place);
  } catch (thrown) {
    if (stood) await rename(aside, place);
    throw thrown;
  }
  if (stood) await rm(aside, { recursive: true, force: true });
  await syncFolder(dirname(place));
}

/** Everything that is no folder, by its path below `folder`. */
async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

/** SHA-256 by path; null where this is no manifest of ours. */
async function readManifest(folder: string): Promise<Map<string, string> | null> {
  const text = await readFile(join(folder, MANIFEST), 'utf8').catch(() => '');
  const [head, ...lines] = text.split('\n');
  if (head !== MANIFEST_HEAD) return null;
  return new Map(
    lines.flatMap((line): [string, string][] => {
      const match = /^([0-9a-f]{64}) {2}(.+)$/.exec(line);
      return match === null ? [] : [[match[2] ?? '', match[1] ?? '']];
    }),
  );
}

async function digestOf(file: string): Promise<string> {
  // Through no link: what it leads to is not part of the folder.
  if (!(await lstat(file)).isFile()) return '';
  const digest = createHash('sha256');
  for await (const piece of createReadStream(file)) digest.update(piece as Buffer);
  return digest.digest('hex');
}

function orOutError<T>(out: string, work: Promise<T>): Promise<T> {
  return work.catch((thrown: unknown) => {
    throw outError(out, thrown);
  });
}

function taken(out: string, why: string): EdgewardError {
  return new EdgewardError('EDW_ERR_OUT_FOLDER', `writing the folder ${out}: ${why}`, {
    mend: 'Name a folder that does not exist yet, an empty one, or an earlier export as it was written.',
  });
}

function outError(out: string, cause: unknown): EdgewardError {
  const message = `writing the folder ${out}: ${messageOf(cause)}`;
  if (['ENOSPC', 'EDQUOT'].includes(systemCodeOf(cause) ?? ''))
    return new EdgewardError('EDW_ERR_OUTPUT', message, { mend: 'Free some space, then try again.', cause });
  const mend = 'Name a place in a folder that exists and that you may write in.';
  return new EdgewardError('EDW_ERR_OUT_FOLDER', message, { mend, cause });
}
