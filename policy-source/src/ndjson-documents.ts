/**
 * Reads `*.ndjson`: one JSON document per line, blank lines skipped. JSON.parse does the work; what it hides (a
 * repeated key) or cannot place (some faults of syntax) is looked for only in lines that need it. Measured on 100,000
 * lines of 200 bytes: 77 ms for JSON.parse alone, about twice that with every check here.
 */
import { isUtf8 } from 'node:buffer';
import type { Finding } from '@edgeward/policy';
import { jsonFault } from './json-fault.ts';
import { type Cut, type DocumentsRead, type Format, limitCut, type Parsed, readCut, refuseCut } from './piece.ts';
import type { Problem } from './problem.ts';
import { encodingFinding } from './text-encoding.ts';
import { yamlLocator } from './yaml-documents.ts';
import { maxDepth } from './yaml-tree.ts';

export const maxLineBytes: number = 64 * 1024;
/** A million workloads; a larger file is a mistake, and reading it would take the memory of the service. */
export const maxNdjsonBytes: number = 256 * 1024 * 1024;

const newline = 10;
const blank = /^[ \t\r]*$/;

function problem(code: string, offset: number, message: string, mend: string): Parsed {
  const problems: Problem[] = [{ code, lineOffset: 0, column: offset + 1, message, mend }];
  return { state: 'broken', problems };
}

/** Past the string that begins at `start` in a line that is known to be JSON. */
function stringEnd(line: string, start: number): number {
  let end = line.indexOf('"', start + 1);
  for (;;) {
    let escapes = 0;
    while (line.charCodeAt(end - 1 - escapes) === 0x5c) escapes++;
    if (escapes % 2 === 0) return end;
    end = line.indexOf('"', end + 1);
  }
}

/** Counts the members that a line of JSON shows: each has one colon outside strings. -1 - offset when too deep. */
function membersShown(line: string): number {
  let members = 0;
  let depth = 0;
  for (let i = 0; i < line.length; i++) {
    switch (line.charCodeAt(i)) {
      case 0x22:
        i = stringEnd(line, i);
        break;
      case 0x3a:
        members++;
        break;
      case 0x5b:
      case 0x7b:
        if (++depth > maxDepth) return -1 - i;
        break;
      case 0x5d:
      case 0x7d:
        depth--;
    }
  }
  return members;
}

/**
 * Counts the members that the value has, and takes the prototype off every object on the way, as in YAML. Setting it
 * keeps the objects small; building them with Object.create(null) would make each a hash table.
 */
function membersKept(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let members = 0;
  if (Array.isArray(value)) {
    for (const item of value) members += membersKept(item);
    return members;
  }
  Object.setPrototypeOf(value, null);
  for (const item of Object.values(value)) members += 1 + membersKept(item);
  return members;
}

function parseJson(line: string): Parsed {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    const fault = jsonFault(line);
    if (fault !== null) return problem(fault.code, fault.offset, fault.message, fault.mend);
    return problem('EDW_ERR_JSON_SYNTAX', 0, 'This line is not JSON', 'Write one JSON document per line.');
  }
  const shown = membersShown(line);
  if (shown < 0) {
    const message = `More than ${maxDepth} lists or objects stand inside each other`;
    return problem(
      'EDW_ERR_TOO_DEEP',
      -1 - shown,
      message,
      'Write it flatter; no document of policy needs this depth.',
    );
  }
  if (shown === membersKept(value)) return { state: 'value', value };
  const fault = jsonFault(line);
  return fault === null
    ? problem('EDW_ERR_DUPLICATE_KEY', 0, 'A key stands twice in one object', 'Remove one of the two.')
    : problem(fault.code, fault.offset, fault.message, fault.mend);
}

/** JSON is YAML, so its places are found by the YAML parser. */
export const ndjsonFormat: Format = { parse: parseJson, locator: yamlLocator };

function tooLong(file: string, line: number): Finding {
  return {
    severity: 'error',
    code: 'EDW_ERR_LINE_TOO_LONG',
    file,
    line,
    column: 1,
    message: `The line is longer than ${maxLineBytes / 1024} KiB`,
    mend: 'Write one document per line; a single workload needs a few hundred bytes.',
  };
}

/** The lines of a file's bytes, cut but not parsed. Each becomes a string of its own (see `piece.ts`). */
export function cutNdjsonBytes(bytes: Buffer, file: string): Cut {
  if (bytes.length > maxNdjsonBytes) {
    return refuseCut(
      file,
      `is larger than ${maxNdjsonBytes / 1024 / 1024} MiB`,
      'Split the inventory into several files.',
    );
  }
  const cut: Cut = { texts: [], lines: [], findings: [] };
  const clean = isUtf8(bytes);
  // A byte order mark.
  let start = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  for (let line = 1; start < bytes.length; line++) {
    const found = bytes.indexOf(newline, start);
    const end = found === -1 ? bytes.length : found;
    if (end - start > maxLineBytes) cut.findings.push(tooLong(file, line));
    else if (!clean && !isUtf8(bytes.subarray(start, end))) {
      cut.findings.push(encodingFinding(bytes.subarray(start, end), file, line));
    } else pushLine(cut, bytes.toString('utf8', start, end), line);
    start = end + 1;
  }
  return limitCut(cut, file);
}

function pushLine(cut: Cut, text: string, line: number): void {
  if (blank.test(text)) return;
  cut.texts.push(text);
  cut.lines.push(line);
}

/** The documents and the findings of one NDJSON text. */
export function ndjsonDocuments(text: string, file: string): DocumentsRead {
  return readCut(file, cutNdjsonBytes(Buffer.from(text), file), ndjsonFormat);
}

/**
 * Documents that are in memory already, one JSON text each, such as a last-known-good read back from disk. No limit of
 * length: a policy that people wrote as one large YAML document comes back as one long line.
 */
export function documentsFromLines(lines: Iterable<string>, file: string): DocumentsRead {
  const cut: Cut = { texts: [], lines: [], findings: [] };
  let line = 0;
  for (const text of lines) pushLine(cut, text, ++line);
  return readCut(file, cut, ndjsonFormat);
}
