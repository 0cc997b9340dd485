/**
 * The pieces of a file that stand for themselves: a YAML document, a line of NDJSON. A file that is read again parses
 * only pieces whose text is new; a piece that merely moved keeps its value (===), one that did not even move keeps its
 * SourceDocument (===). The text of a piece must be a string of its own: a slice would keep the whole old file alive.
 */
import type { Finding, Path, SourceDocument } from '@edgeward/policy';
import { fileFinding, findingOf, type Problem, pushCapped } from './problem.ts';

export interface Position {
  /** From 1. */
  line: number;
  /** From 1, in UTF-16 units. */
  column: number;
}

/** `key` points at the key of the last step instead of its value; without such a key both are the same. */
export type PathPart = 'value' | 'key';

/** What parsing one text gave. A text with problems gives no document: half of one would mislead. */
export type Parsed = { state: 'value'; value: unknown } | { state: 'empty' } | { state: 'broken'; problems: Problem[] };

/** Finds places in one text, lines from 1 within it. */
export type Locator = (path: Path, part: PathPart) => Position;

/** More documents than any inventory has; a file of millions of tiny ones would take the memory of the service. */
const maxDocumentsPerFile = 1_000_000;

/** How one kind of file is parsed. Both see the text of one piece. */
export interface Format {
  parse(text: string): Parsed;
  locator(text: string): Locator;
}

/** The texts of a file in order, each with the line it begins on; findings are what could not become a text. */
export interface Cut {
  texts: string[];
  lines: number[];
  findings: Finding[];
}

export interface Piece {
  text: string;
  line: number;
  parsed: Parsed;
  document: SourceDocument | null;
}

export interface DocumentsRead {
  documents: SourceDocument[];
  findings: Finding[];
}

/** What is left of a cut when the file is refused. */
export function refuseCut(file: string, what: string, mend: string): Cut {
  const finding = fileFinding('error', 'EDW_ERR_FILE_TOO_LARGE', file, `The file ${what}`, mend);
  return { texts: [], lines: [], findings: [finding] };
}

/** A cut with too many pieces becomes a finding. */
export function limitCut(cut: Cut, file: string): Cut {
  if (cut.texts.length <= maxDocumentsPerFile) return cut;
  return refuseCut(file, `holds more than ${maxDocumentsPerFile} documents`, 'Split it into several files.');
}

/** A class, as there may be a million: what each closure would hold beside it was a sixth of an inventory in memory. */
class PieceDocument implements SourceDocument {
  readonly file: string;
  readonly value: unknown;
  readonly #text: string;
  readonly #line: number;
  readonly #format: Format;
  #locator: Locator | null = null;

  constructor(file: string, value: unknown, text: string, line: number, format: Format) {
    this.file = file;
    this.value = value;
    this.#text = text;
    this.#line = line;
    this.#format = format;
  }

  locate(path: Path, part: PathPart = 'value'): Position {
    this.#locator ??= this.#format.locator(this.#text);
    const at = this.#locator(path, part);
    return { line: this.#line + at.line - 1, column: at.column };
  }
}

function pieceOf(file: string, text: string, line: number, parsed: Parsed, format: Format): Piece {
  const document = parsed.state === 'value' ? new PieceDocument(file, parsed.value, text, line, format) : null;
  return { text, line, parsed, document };
}

/**
 * Turns what was cut from a file into pieces, taking from the previous reading whatever has the same text. Yields after
 * each piece it parsed, so that a caller may let others run in between.
 */
export function* pieceSteps(
  file: string,
  cut: Cut,
  format: Format,
  previous: readonly Piece[],
): Generator<void, Piece[]> {
  const { texts, lines } = cut;
  const shared = Math.min(texts.length, previous.length);
  let head = 0;
  while (head < shared && previous[head]?.text === texts[head]) head++;
  let tail = 0;
  while (tail < shared - head && previous.at(-1 - tail)?.text === texts.at(-1 - tail)) tail++;

  // Only what lies between the equal head and the equal tail is looked up by text: mostly a line or two.
  const known = new Map<string, Piece>();
  for (let i = head; i < previous.length - tail; i++) {
    const piece = previous[i];
    if (piece !== undefined) known.set(piece.text, piece);
  }
  const moved = previous.length - texts.length;
  const pieces: Piece[] = [];
  for (const [i, text] of texts.entries()) {
    const line = lines[i] ?? 1;
    const old = i < head ? previous[i] : i >= texts.length - tail ? previous[i + moved] : known.get(text);
    if (old?.line === line) pieces.push(old);
    else if (old !== undefined) pieces.push(pieceOf(file, old.text, line, old.parsed, format));
    else {
      pieces.push(pieceOf(file, text, line, format.parse(text), format));
      yield;
    }
  }
  return pieces;
}

function* findingsOf(file: string, pieces: readonly Piece[], cut: readonly Finding[]): Generator<Finding> {
  yield* cut;
  for (const { line, parsed } of pieces) {
    if (parsed.state !== 'broken') continue;
    for (const problem of parsed.problems) yield findingOf(problem, file, line);
  }
}

export function documentsOf(file: string, pieces: readonly Piece[], cut: readonly Finding[]): DocumentsRead {
  const documents: SourceDocument[] = [];
  for (const piece of pieces) if (piece.document !== null) documents.push(piece.document);
  const findings: Finding[] = [];
  pushCapped(findings, findingsOf(file, pieces, cut));
  findings.sort((a, b) => a.line - b.line || a.column - b.column);
  return { documents, findings };
}

/** A whole file, read for the first time. */
export function readCut(file: string, cut: Cut, format: Format): DocumentsRead {
  const steps = pieceSteps(file, cut, format, []);
  let step = steps.next();
  while (!step.done) step = steps.next();
  return documentsOf(file, step.value, cut.findings);
}
