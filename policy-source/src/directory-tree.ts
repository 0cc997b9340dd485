/**
 * The files of a policy directory and what `stat` says of them, without reading any. Names are relative to the
 * directory, with `/`, sorted as bytes, so that equal trees give equal lists everywhere. Symbolic links are followed
 * (Kubernetes mounts ConfigMaps as links); a directory that is reached twice is walked once. What cannot be seen is
 * an error, never skipped: a deny rule must not vanish because a link broke.
 */
import type { BigIntStats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Finding } from '@edgeward/policy';
import { EdgewardError, messageOf } from '@edgeward/runtime';
import { fileFinding } from './problem.ts';

export type FileKind = 'yaml' | 'ndjson';

export interface TreeFile {
  name: string;
  path: string;
  kind: FileKind;
  /** Equal when size, modification time and inode are. */
  signature: string;
  size: bigint;
  modifiedAtMs: number;
}

export interface Tree {
  files: TreeFile[];
  /** Every directory walked, for whoever wants to watch them. */
  directories: string[];
  findings: Finding[];
  /** Equal as long as nothing was seen to change. */
  signature: string;
}

/** Whoever points at `/` by mistake should hear of it soon. */
const maxEntries = 100_000;
const ignoredNames = /\.(?:ya?ml|json|jsonl|ndjson)$/i;

interface Walk {
  root: string;
  tree: Tree;
  visited: Set<string>;
  entries: number;
}

function kindOf(name: string): FileKind | null {
  if (name.endsWith('.yaml')) return 'yaml';
  return name.endsWith('.ndjson') ? 'ndjson' : null;
}

/** Never skipped: a rule that is in it would vanish. */
export function unreadable(name: string, thrown: unknown): Finding {
  const mend = 'Make it readable for this process, or remove it; a name that begins with a dot is skipped.';
  return fileFinding('error', 'EDW_ERR_FILE_UNREADABLE', name, `Cannot be read: ${messageOf(thrown)}`, mend);
}

function ignored(name: string, message: string, mend: string): Finding {
  return fileFinding('warning', 'EDW_WARN_FILE_IGNORED', name, message, mend);
}

function directoryError(dir: string, what: string, cause?: unknown): EdgewardError {
  return new EdgewardError('EDW_ERR_POLICY_DIR', `reading the policy directory ${dir}: ${what}`, {
    cause,
    mend: 'Check that it is the directory that holds your policies and that this process may read it.',
  });
}

function addFile(walk: Walk, name: string, stats: BigIntStats): void {
  const kind = kindOf(name);
  if (kind === null) {
    if (!ignoredNames.test(name)) return;
    const mend = 'Rename it to .yaml, or to .ndjson if it has one JSON document per line.';
    walk.tree.findings.push(ignored(name, 'Only *.yaml and *.ndjson are read', mend));
  } else if (!stats.isFile()) {
    walk.tree.findings.push(unreadable(name, 'it is no regular file'));
  } else {
    const { size, mtimeNs, ino } = stats;
    const signature = `${size}:${mtimeNs}:${ino}`;
    const modifiedAtMs = Number(mtimeNs / 1_000_000n);
    walk.tree.files.push({ name, path: join(walk.root, name), kind, signature, size, modifiedAtMs });
  }
}

async function walkDirectory(walk: Walk, name: string, stats: BigIntStats): Promise<void> {
  const id = `${stats.dev}:${stats.ino}`;
  if (walk.visited.has(id)) {
    walk.tree.findings.push(ignored(name, 'This link leads to a directory that is read already', 'Remove the link.'));
    return;
  }
  walk.visited.add(id);
  const path = join(walk.root, name);
  walk.tree.directories.push(path);
  walk.tree.signature += `${name}/ ${id}\n`;
  const names = (await readdir(path)).filter((entry) => !entry.startsWith('.')).sort(byBytes);
  walk.entries += names.length;
  if (walk.entries > maxEntries) throw directoryError(walk.root, `it holds more than ${maxEntries} files`);
  const entries = names.map((entry) => (name === '' ? entry : `${name}/${entry}`));
  const found = await Promise.all(entries.map((entry) => statOrError(join(walk.root, entry))));
  for (const [i, entry] of entries.entries()) await addEntry(walk, entry, found[i]);
}

async function statOrError(path: string): Promise<BigIntStats | { thrown: unknown }> {
  return stat(path, { bigint: true }).catch((thrown: unknown) => ({ thrown }));
}

async function addEntry(walk: Walk, name: string, found: BigIntStats | { thrown: unknown } | undefined): Promise<void> {
  if (found === undefined) return;
  if ('thrown' in found) {
    // A broken link to notes is nobody's policy; one that might be a policy or a directory of policies is.
    if (kindOf(name) !== null || !/\.[^./]+$/.test(name)) walk.tree.findings.push(unreadable(name, found.thrown));
  } else if (!found.isDirectory()) addFile(walk, name, found);
  else {
    await walkDirectory(walk, name, found).catch((thrown: unknown) => {
      if (thrown instanceof EdgewardError) throw thrown;
      walk.tree.findings.push(unreadable(name, thrown));
    });
  }
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** What a policy directory holds now. Throws `EDW_ERR_POLICY_DIR` when the directory itself cannot be read. */
export async function walkTree(dir: string): Promise<Tree> {
  const tree: Tree = { files: [], directories: [], findings: [], signature: '' };
  const walk: Walk = { root: dir, tree, visited: new Set(), entries: 0 };
  try {
    await walkDirectory(walk, '', await stat(dir, { bigint: true }));
  } catch (thrown) {
    throw thrown instanceof EdgewardError ? thrown : directoryError(dir, messageOf(thrown), thrown);
  }
  tree.files.sort((a, b) => byBytes(a.name, b.name));
  tree.findings.sort((a, b) => byBytes(a.file, b.file));
  for (const { name, signature } of tree.files) tree.signature += `${name} ${signature}\n`;
  for (const { file, code, message } of tree.findings) tree.signature += `${file} ${code} ${message}\n`;
  return tree;
}
