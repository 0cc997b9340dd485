import { compareText, type SourceDocument } from '@edgeward/policy';
import { canonicalJson, type Digest, digestOf, LIMITS, parseCanonical } from '@edgeward/policy-format';
import { EdgewardError, messageOf } from '@edgeward/runtime';

/**
 * What people edit, as bytes that can be signed: canonical documents, one a line, sorted by kind and name. Workloads
 * without a point are inventory and no part of it; those with one stand here without their addresses. Whether a document
 * makes sense is not asked here.
 */
export interface Bundle {
  documents: BundleDocument[];
  bytes: Uint8Array;
  digest: Digest;
}

export type BundleDocument = { kind: BundleKind; name: string } & { [key: string]: unknown };
export type BundleKind = 'Network' | 'Point' | 'Policy' | 'Service' | 'VirtualServer' | 'Workload';

const FILES: { [kind in BundleKind]: string } = {
  Network: 'network',
  Point: 'point',
  Policy: 'policy',
  Service: 'service',
  VirtualServer: 'virtual-server',
  Workload: 'workload',
};

/** All documents of a version. */
const MAX_BYTES = LIMITS.rulesBytes;
const MAX_DOCUMENT_BYTES = 8 * 1024 * 1024;
const MAX_LISTED = 20;

/** Of the documents of a directory. Throws EDW_ERR_BUNDLE with every document that can stand in none. */
export function bundleOf(documents: readonly SourceDocument[]): Bundle {
  const problems: string[] = [];
  const taken: BundleDocument[] = [];
  for (const document of documents) {
    const line = document.locate([]).line;
    const place = `${document.file}:${line}`;
    const it = documentOf(document.value);
    if (typeof it === 'string') problems.push(`${place}: ${it}`);
    else if (it.kind !== 'Workload') taken.push(it);
    else if (it.point !== undefined) taken.push({ ...it, addresses: [] });
  }
  if (problems.length > 0) throw refused(problems);
  return assemble(taken);
}

/** The Workload documents of a directory, as an inventory has them. */
export function inventoryOf(documents: readonly SourceDocument[]): SourceDocument[] {
  return documents.filter(({ value }) => isMapping(value) && value.kind === 'Workload');
}

/** Bytes that came from somewhere. Throws EDW_ERR_BUNDLE for anything but the canonical form, EDW_ERR_FORMAT_…. */
export function parseBundle(bytes: Uint8Array): Bundle {
  if (bytes.length > MAX_BYTES) throw refused([`it has ${bytes.length} bytes, more than ${MAX_BYTES}`]);
  const documents: BundleDocument[] = [];
  let from = 0;
  while (from < bytes.length) {
    const end = bytes.indexOf(10, from);
    if (end < 0) throw refused([`line ${documents.length + 1} is cut off`]);
    const what = `line ${documents.length + 1} of the documents`;
    const it = documentOf(parseCanonical(bytes.subarray(from, end), what, MAX_DOCUMENT_BYTES));
    if (typeof it === 'string') throw refused([`${what}: ${it}`]);
    requireBare(it, what);
    documents.push(it);
    from = end + 1;
  }
  // Each line is the canonical form already: to write them all once more would take as long again.
  const sorted = inOrder(documents);
  const problems = twiceIn(sorted);
  if (problems.length > 0) throw refused(problems);
  if (sorted.some((it, i) => it !== documents[i])) throw refused(['the documents are not sorted by kind and name']);
  return { documents, bytes, digest: digestOf(bytes) };
}

/** Addresses come from the inventory alone: one that was signed here could not be taken back by moving the workload. */
function requireBare(it: BundleDocument, what: string): void {
  if (it.kind !== 'Workload') return;
  if (it.point === undefined) throw refused([`${what}: the workload '${it.name}' has no point`]);
  if (!Array.isArray(it.addresses) || it.addresses.length > 0)
    throw refused([`${what}: the workload '${it.name}' carries addresses`]);
}

/** As `linkModel` reads them; the place of a document is `KIND/NAME`, as in `virtual-server/order-front`, line 1. */
export function sourceDocumentsOf(bundle: Bundle): SourceDocument[] {
  return bundle.documents.map((value) => ({
    file: `${FILES[value.kind]}/${value.name}`,
    value,
    locate: () => ({ line: 1, column: 1 }),
  }));
}

/** The bundle with this document in place of one of the same kind and name, or added. */
export function withDocument(bundle: Bundle, document: { kind: string; name: string }): Bundle {
  const it = documentOf(document);
  if (typeof it === 'string') throw refused([it]);
  requireBare(it, 'the document');
  return assemble([...withoutDocument(bundle, it.kind, it.name).documents, it]);
}

export function withoutDocument(bundle: Bundle, kind: string, name: string): Bundle {
  return assemble(bundle.documents.filter((it) => it.kind !== kind || it.name !== name));
}

function assemble(documents: readonly BundleDocument[]): Bundle {
  const sorted = inOrder(documents);
  const problems = twiceIn(sorted);
  const lines = sorted.map((it) => `${lineOf(it, problems)}\n`);
  if (problems.length > 0) throw refused(problems);
  const bytes = Buffer.from(lines.join(''));
  if (bytes.length > MAX_BYTES) throw refused([`they have ${bytes.length} bytes, more than ${MAX_BYTES}`]);
  return { documents: sorted, bytes, digest: digestOf(bytes) };
}

function inOrder(documents: readonly BundleDocument[]): BundleDocument[] {
  return documents.toSorted((a, b) => compareText(a.kind, b.kind) || compareText(a.name, b.name));
}

function twiceIn(sorted: readonly BundleDocument[]): string[] {
  const again = sorted.filter(({ kind, name }, i) => sorted[i - 1]?.kind === kind && sorted[i - 1]?.name === name);
  return again.map(({ kind, name }) => `${kind} '${name}' stands twice`);
}

/** What would not read back is found where it is written, not by the approver. */
function lineOf(it: BundleDocument, problems: string[]): string {
  try {
    const line = canonicalJson(it);
    parseCanonical(Buffer.from(line), `${it.kind} '${it.name}'`, MAX_DOCUMENT_BYTES);
    return line;
  } catch (thrown) {
    problems.push(messageOf(thrown));
    return '';
  }
}

function documentOf(value: unknown): BundleDocument | string {
  if (!isMapping(value)) return 'a document must be a mapping';
  const { kind, name } = value;
  if (typeof kind !== 'string' || !isKind(kind)) return 'a document needs a kind that is known';
  if (typeof name !== 'string' || name === '') return `a ${kind} needs a name`;
  return { ...value, kind, name };
}

function isKind(kind: string): kind is BundleKind {
  return Object.hasOwn(FILES, kind);
}

function isMapping(value: unknown): value is { [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refused(problems: readonly string[]): EdgewardError {
  const more = problems.length > MAX_LISTED ? `; and ${problems.length - MAX_LISTED} more` : '';
  const listed = problems.slice(0, MAX_LISTED).join('; ');
  return new EdgewardError('EDW_ERR_BUNDLE', `putting documents of policy together: ${listed}${more}`, {
    mend: 'Run `edgeward check` on the policy directory, and propose from there.',
  });
}
