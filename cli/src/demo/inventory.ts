/** The labels of a workload in the example inventory, edited as a person does: the text of one document, replaced by rename. */
import { chmod, chown, readFile, rename, stat, writeFile } from 'node:fs/promises';

export interface InventoryEntry {
  file: string;
  /** Of the labels, from 1. */
  line: number;
  labels: string;
  addresses: string[];
}

/** null: there is no such workload, or no such file. */
export async function entryOf(file: string, workload: string): Promise<InventoryEntry | null> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const document = text.split('---\n').find((it) => isOf(it, workload));
  if (document === undefined) return null;
  const labels = /^labels: (.*)$/m.exec(document);
  const addresses = /^addresses: \[(.*)\]$/m.exec(document)?.[1] ?? '';
  const before = text.slice(0, text.indexOf(document) + (labels?.index ?? 0));
  return {
    file,
    line: before.split('\n').length,
    labels: labels?.[1] ?? '',
    addresses: addresses.split(',').map((it) => it.trim()),
  };
}

/** Replaces text in what the inventory says of one workload. The file stays its owner's, whoever runs this. */
export async function relabel(file: string, workload: string, from: string, to: string): Promise<void> {
  const { uid, gid, mode } = await stat(file);
  const documents = (await readFile(file, 'utf8')).split('---\n');
  const edited = documents.map((it) => (isOf(it, workload) ? it.replace(from, to) : it)).join('---\n');
  // Not read as a policy, should this be the last that is done.
  const unfinished = `${file}.new`;
  await writeFile(unfinished, edited);
  await chmod(unfinished, mode);
  await chown(unfinished, uid, gid);
  await rename(unfinished, file);
}

function isOf(document: string, workload: string): boolean {
  return document.includes(`name: ${workload}\n`);
}
