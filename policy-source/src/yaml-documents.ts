/**
 * Reads the text of one `*.yaml` file into documents. Every fault of the file is found at once; a document with a
 * fault is left out and hides nothing of the others. The tree of a document is dropped after reading and built again
 * when the first finding asks for a place, so that a large policy costs memory only while something is wrong with it.
 */
import {
  type Cut,
  type DocumentsRead,
  type Format,
  type Locator,
  limitCut,
  type Parsed,
  readCut,
  refuseCut,
} from './piece.ts';
import type { Problem } from './problem.ts';
import { encodingFindings } from './text-encoding.ts';
import { cutYaml } from './yaml-cut.ts';
import { type Tree, yamlTree } from './yaml-tree.ts';
import { placeOf, plainValue } from './yaml-value.ts';

/** Machines write inventories as NDJSON; what people write by hand stays far below this. */
export const maxYamlBytes: number = 16 * 1024 * 1024;

/** The tree of a document takes some 150 times its text; ten thousand rules fit into this. */
const maxDocumentBytes = 2 * 1024 * 1024;

function byPlace(a: Problem, b: Problem): number {
  return a.lineOffset - b.lineOffset || a.column - b.column;
}

function tooLarge(): Parsed {
  const message = `This document is larger than ${maxDocumentBytes / 1024 / 1024} MiB`;
  const mend = 'Split it into several documents, or put an inventory into an .ndjson file.';
  return {
    state: 'broken',
    problems: [{ code: 'EDW_ERR_DOCUMENT_TOO_LARGE', lineOffset: 0, column: 1, message, mend }],
  };
}

function parseYaml(text: string): Parsed {
  if (text.length > maxDocumentBytes) return tooLarge();
  const { root, lines, problems } = yamlTree(text);
  const value = plainValue(
    root,
    (offset) => lines.linePos(offset).line,
    (offset, code, message, mend) => {
      const { line, col } = lines.linePos(offset);
      problems.push({ code, lineOffset: line - 1, column: col, message, mend });
    },
  );
  if (problems.length > 0) return { state: 'broken', problems: problems.sort(byPlace) };
  return root === null ? { state: 'empty' } : { state: 'value', value };
}

/** Weakly held: while findings are being placed the tree stays, afterwards memory may have it back. */
export function yamlLocator(text: string): Locator {
  let held: WeakRef<Tree> | undefined;
  return (path, part) => {
    let tree = held?.deref();
    if (tree === undefined) {
      tree = yamlTree(text);
      held = new WeakRef(tree);
    }
    return placeOf(tree, path, part);
  };
}

export const yamlFormat: Format = { parse: parseYaml, locator: yamlLocator };

/** The documents of a file's bytes, cut but not parsed. A byte order mark is accepted. */
export function cutYamlBytes(bytes: Buffer, file: string): Cut {
  if (bytes.length > maxYamlBytes) {
    const mend = 'Put inventories into an .ndjson file, one document per line, and split what people write.';
    return refuseCut(file, `is larger than ${maxYamlBytes / 1024 / 1024} MiB`, mend);
  }
  const findings = encodingFindings(bytes, file);
  // What an undecodable character was meant to be cannot be guessed, nor where it would have ended a document.
  if (findings.length > 0) return { texts: [], lines: [], findings };
  return limitCut(cutYaml(withoutMark(bytes.toString())), file);
}

function withoutMark(text: string): string {
  return text.startsWith('\ufeff') ? text.slice(1) : text;
}

/** The documents and the findings of one YAML text. */
export function yamlDocuments(text: string, file: string): DocumentsRead {
  return readCut(file, cutYamlBytes(Buffer.from(text), file), yamlFormat);
}
