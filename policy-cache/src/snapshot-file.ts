/**
 * One snapshot of the policy source on disk: a header line, then the documents, one JSON value a line. The header carries
 * the sha256 of all that follows, so half a file or a changed byte is known for what it is. What the lines mean is not
 * known here.
 *
 *   {"format":1,"revision":7,"contentHash":"…","takenAtMs":…,"lines":100000,"sha256":"…"}\n
 *   {"file":"crm.yaml",…}\n …
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { EdgewardError, messageOf, systemCodeOf, writeDurably } from '@edgeward/runtime';

export interface Snapshot {
  revision: number;
  /** The source's own name for this content; kept, never computed here. */
  contentHash: string;
  /** Milliseconds since the epoch. */
  takenAtMs: number;
  /** One JSON text each, without a line break. Gone through twice, so an iterable that starts anew each time. */
  documents: Iterable<string>;
}

export type LoadedSnapshot = Omit<Snapshot, 'documents'> & { documents: string[] };

export type ReadSnapshot =
  | { state: 'loaded'; snapshot: LoadedSnapshot }
  | { state: 'none' }
  | { state: 'damaged'; cause: string };

interface Header extends Omit<Snapshot, 'documents'> {
  format: 1;
  lines: number;
  sha256: string;
}

/** Throws EDW_ERR_STATE_WRITE. */
export async function writeSnapshot(path: string, snapshot: Snapshot): Promise<void> {
  const { revision, contentHash, takenAtMs, documents } = snapshot;
  const { lines, sha256 } = digest(documents);
  const header: Header = { format: 1, revision, contentHash, takenAtMs, lines, sha256 };
  await writeDurably(path, text(header, documents));
}

/** Never throws for what the file holds. Throws EDW_ERR_STATE_READ when it cannot be read at all. */
export async function readSnapshot(path: string): Promise<ReadSnapshot> {
  const bytes = await readBytes(path);
  if (bytes === null) return { state: 'none' };
  const end = bytes.indexOf(0x0a);
  const header = end === -1 ? null : parseHeader(bytes.toString('utf8', 0, end));
  if (header === null) return { state: 'damaged', cause: `${path} has no header line of format 1` };
  const body = bytes.subarray(end + 1);
  if (createHash('sha256').update(body).digest('hex') !== header.sha256) {
    return { state: 'damaged', cause: `${path} is not what was written: its sha256 differs` };
  }
  const { revision, contentHash, takenAtMs, lines } = header;
  const documents = lines === 0 ? [] : body.toString('utf8', 0, body.length - 1).split('\n');
  if (documents.length !== lines)
    return { state: 'damaged', cause: `${path} has ${documents.length} lines of ${lines}` };
  return { state: 'loaded', snapshot: { revision, contentHash, takenAtMs, documents } };
}

function* text(header: Header, documents: Iterable<string>): Generator<string> {
  yield `${JSON.stringify(header)}\n`;
  for (const line of documents) yield `${line}\n`;
}

/** The header stands first, so the digest is taken in a pass of its own: hashing 20 MB is cheaper than holding it twice. */
function digest(documents: Iterable<string>): { lines: number; sha256: string } {
  const hash = createHash('sha256');
  let lines = 0;
  for (const line of documents) {
    if (line.includes('\n')) throw new TypeError(`document ${lines + 1} of the snapshot holds a line break`);
    hash.update(`${line}\n`);
    lines += 1;
  }
  return { lines, sha256: hash.digest('hex') };
}

async function readBytes(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path);
  } catch (cause) {
    if (systemCodeOf(cause) === 'ENOENT') return null;
    throw new EdgewardError('EDW_ERR_STATE_READ', `reading ${path}: ${messageOf(cause)}`, {
      mend: 'Let the user that runs Edgeward read this file. To start without it, move it away.',
      cause,
    });
  }
}

function parseHeader(line: string): Header | null {
  try {
    const header: unknown = JSON.parse(line);
    return isHeader(header) ? header : null;
  } catch {
    return null;
  }
}

function isHeader(value: unknown): value is Header {
  if (typeof value !== 'object' || value === null) return false;
  const header: Partial<Record<string, unknown>> = { ...value };
  const numbers = [header.revision, header.takenAtMs, header.lines];
  const texts = [header.contentHash, header.sha256];
  return header.format === 1 && numbers.every(Number.isSafeInteger) && texts.every((text) => typeof text === 'string');
}
