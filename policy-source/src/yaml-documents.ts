/**
 * Reads the text of one `*.yaml` file into documents. Every fault of the file is found at once; a document with a
 * fault is left out and hides nothing of the others. The tree of a document is dropped after reading and built again
 * when the first finding asks for a place, so that a large policy costs memory only while something is wrong with it.
 */
import { type Cut, type DocumentsRead, type Format, type Locator, type Parsed, readCut } from './piece.ts';
import { fileFinding, type Problem } from './problem.ts';
import { encodingFindings } from './text-encoding.ts';
import { cutYaml } from './yaml-cut.ts';
import { type Tree, yamlTree } from './yaml-tree.ts';
import { placeOf, plainValue } from './yaml-value.ts';

/** Machines write inventories as NDJSON; what people write by hand stays far below this. */
export const maxYamlBytes: number = 16 * 1024 * 1024;

function byPlace(a: Problem, b: Problem): number {
  return a.lineOffset - b.lineOffset || a.column - b.column;
}

function parseYaml(text: string): Parsed {
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
  const limit = maxYamlBytes / 1024 / 1024;
  const message = `The file is larger than ${limit} MiB`;
  const mend = 'Put inventories into an .ndjson file, one document per line, and split what people write.';
  const none = { texts: [], lines: [] };
  if (bytes.length > maxYamlBytes) {
    return { ...none, findings: [fileFinding('error', 'EDW_ERR_FILE_TOO_LARGE', file, message, mend)] };
  }
  const findings = encodingFindings(bytes, file);
  // What an undecodable character was meant to be cannot be guessed, nor where it would have ended a document.
  return findings.length > 0 ? { ...none, findings } : cutYaml(withoutMark(bytes.toString()));
}

function withoutMark(text: string): string {
  return text.startsWith('\ufeff') ? text.slice(1) : text;
}

/** The documents and the findings of one YAML text. */
export function yamlDocuments(text: string, file: string): DocumentsRead {
  return readCut(file, cutYamlBytes(Buffer.from(text), file), yamlFormat);
}
