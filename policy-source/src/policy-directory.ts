/**
 * Reads a policy directory again and again, each time at the cost of what changed. What did not change is the same
 * object as before (===): the SourceDocuments of untouched files, and inside a changed file the values of pieces
 * whose text is the same, so that whoever comes after may cache by identity. A reading belongs to one state of the
 * directory as far as `stat` can tell. Nothing here judges what a document says.
 */
import { readFile } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import type { Finding, SourceDocument } from '@edgeward/policy';
import { type FileKind, type Tree, type TreeFile, unreadable, walkTree } from './directory-tree.ts';
import { cutNdjsonBytes, maxNdjsonBytes, ndjsonFormat } from './ndjson-documents.ts';
import { type Cut, type DocumentsRead, documentsOf, type Format, type Piece, pieceSteps, refuseCut } from './piece.ts';
import { cutYamlBytes, maxYamlBytes, yamlFormat } from './yaml-documents.ts';

export interface DirectoryReading {
  documents: SourceDocument[];
  findings: Finding[];
  /** The files read, relative to the directory, sorted as bytes. */
  files: string[];
  /** Whether anything differs from the reading before. The first reading is a change. */
  changed: boolean;
}

export interface DirectoryReader {
  /** Throws `EDW_ERR_POLICY_DIR` when the directory cannot be read; the reader stays usable. */
  read(): Promise<DirectoryReading>;
}

interface FileKindRules {
  format: Format;
  maxBytes: number;
  cut(bytes: Buffer, file: string): Cut;
}

interface FileState {
  /** Empty when the file must be read again whatever its signature says. */
  signature: string;
  pieces: Piece[];
  read: DocumentsRead;
}

type Files = Map<string, FileState>;

const rules: Record<FileKind, FileKindRules> = {
  yaml: { format: yamlFormat, maxBytes: maxYamlBytes, cut: cutYamlBytes },
  ndjson: { format: ndjsonFormat, maxBytes: maxNdjsonBytes, cut: cutNdjsonBytes },
};

// Kernels stamp files in ticks (4 ms; some file systems 1 or 2 s): a second edit of equal size within one leaves the
// signature as it was. A file this young is read again next time, however equal it looks.
const settledAfterMs = 2_000;
/** How long parsing may keep the process from everything else, but for a single large document. */
const turnMs = 20;
/** How often a reading is begun anew when files change under it; whoever watches reads again anyway. */
const maxAttempts = 3;

function sameFindings(a: readonly Finding[], b: readonly Finding[]): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function samePieces(a: readonly Piece[], b: readonly Piece[]): boolean {
  return a.length === b.length && a.every((piece, i) => piece === b[i]);
}

async function cutFile(file: TreeFile): Promise<Cut> {
  const { cut, maxBytes } = rules[file.kind];
  if (file.size > BigInt(maxBytes)) {
    return refuseCut(
      file.name,
      `is larger than ${maxBytes / 1024 / 1024} MiB`,
      'Put inventories into .ndjson files, and split what is larger.',
    );
  }
  try {
    return cut(await readFile(file.path), file.name);
  } catch (thrown) {
    return { texts: [], lines: [], findings: [unreadable(file.name, thrown)] };
  }
}

/** Runs the steps, letting the rest of the process have its turn every now and then. */
async function inTurns<T>(steps: Generator<void, T>): Promise<T> {
  let turnBeganMs = performance.now();
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    if (performance.now() - turnBeganMs < turnMs) continue;
    await setImmediate();
    turnBeganMs = performance.now();
  }
}

async function readState(file: TreeFile, old: FileState | undefined): Promise<FileState> {
  const young = Date.now() - file.modifiedAtMs < settledAfterMs;
  const cut = await cutFile(file);
  // What could not be read may be readable next time with the same signature: permissions are not part of it.
  const unsure = young || cut.findings.some((finding) => finding.code === 'EDW_ERR_FILE_UNREADABLE');
  const signature = unsure ? '' : file.signature;
  const pieces = await inTurns(pieceSteps(file.name, cut, rules[file.kind].format, old?.pieces ?? []));
  const read = documentsOf(file.name, pieces, cut.findings);
  if (old !== undefined && samePieces(old.pieces, pieces) && sameFindings(old.read.findings, read.findings)) {
    old.signature = signature;
    return old;
  }
  return { signature, pieces, read };
}

async function readFiles(tree: Tree, before: Files): Promise<Files> {
  const files: Files = new Map();
  for (const file of tree.files) {
    const old = before.get(file.name);
    files.set(file.name, old?.signature === file.signature ? old : await readState(file, old));
  }
  return files;
}

function sameFiles(a: Files, b: Files): boolean {
  if (a.size !== b.size) return false;
  for (const [name, state] of a) if (b.get(name) !== state) return false;
  return true;
}

function readingOf(tree: Tree, files: Files, changed: boolean): DirectoryReading {
  const documents: SourceDocument[] = [];
  const findings = [...tree.findings];
  for (const { read } of files.values()) {
    for (const document of read.documents) documents.push(document);
    for (const finding of read.findings) findings.push(finding);
  }
  return { documents, findings, files: [...files.keys()], changed };
}

export function createDirectoryReader(dir: string): DirectoryReader {
  let files: Files = new Map();
  let treeFindings: readonly Finding[] | null = null;
  let last: Promise<unknown> = Promise.resolve();

  async function readOnce(): Promise<DirectoryReading> {
    let tree = await walkTree(dir);
    let now = files;
    for (let attempt = 1; attempt <= maxAttempts; attempt++) {
      now = await readFiles(tree, now);
      const after = await walkTree(dir);
      if (after.signature === tree.signature) break;
      if (attempt < maxAttempts) tree = after;
    }
    const changed = treeFindings === null || !sameFindings(treeFindings, tree.findings) || !sameFiles(files, now);
    files = now;
    treeFindings = tree.findings;
    return readingOf(tree, now, changed);
  }

  return {
    read() {
      // One after the other: two readings at once would each take the other's state for the one before.
      const reading = last.then(readOnce);
      last = reading.catch(() => {});
      return reading;
    },
  };
}
