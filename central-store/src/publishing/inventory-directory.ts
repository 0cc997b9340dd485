/**
 * The inventory from a directory: its Workload documents, and what changed of them since the last look. A directory that
 * can't be read whole changes nothing: a file that is half written must not take its workloads out of every group. Documents
 * of other kinds are policy, which people sign; they are passed over with a warning.
 */
import { type Finding, linkModel, type SourceDocument } from '@edgeward/policy';
import { createDirectoryReader, type DirectoryWatch, watchDirectory } from '@edgeward/policy-source';
import { EdgewardError, type Logger, messageOf } from '@edgeward/runtime';
import type { WorkloadEdit } from '../membership/index.ts';

export interface InventoryDirectory {
  /** Why the newest content is not what was handed on; null when it is. */
  error(): EdgewardError | null;
  close(): Promise<void>;
}

export interface InventoryDirectoryOptions {
  dir: string;
  /** The first call has every workload there is; later ones what changed. */
  onEdits: (edits: readonly WorkloadEdit[]) => Promise<unknown>;
  logger: Logger;
}

/** Read once when it resolves, whatever came of it. */
export async function openInventoryDirectory(options: InventoryDirectoryOptions): Promise<InventoryDirectory> {
  const { dir, logger } = options;
  const reader = createDirectoryReader(dir);
  /** By the value of a document, which stays the same object while its text does. */
  let known: ReadonlyMap<unknown, string> = new Map();
  let error: EdgewardError | null = null;
  let first = true;
  let reading: Promise<void> = Promise.resolve();

  async function look(): Promise<void> {
    const { documents: found, findings, changed } = await reader.read();
    if (!changed && error === null && !first) return;
    const broken = findings.find(({ severity }) => severity === 'error');
    if (broken !== undefined) throw brokenInventory(dir, [broken]);
    const workloads = found.filter(isWorkload);
    warnOfOthers(found.length - workloads.length);
    const { edits, names } = changesIn(dir, workloads, known);
    if (edits.length > 0 || first) await options.onEdits(edits);
    known = names;
    first = false;
  }

  let others = 0;
  function warnOfOthers(count: number): void {
    if (count > 0 && count !== others)
      logger.warn(
        { event: 'inventory_other_documents', dir, count },
        'documents that are no workloads are passed over',
      );
    others = count;
  }

  function read(): Promise<void> {
    reading = reading.then(look).then(
      () => {
        error = null;
      },
      (thrown: unknown) => {
        const told = thrown instanceof EdgewardError ? thrown : brokenBy(dir, thrown);
        if (told.message !== error?.message)
          logger.error({ event: 'inventory_not_read', dir, err: told }, 'the inventory stays as it was');
        error = told;
      },
    );
    return reading;
  }

  await read();
  const watch: DirectoryWatch = watchDirectory(dir, { onChange: read, logger });
  return {
    error: () => error,
    async close() {
      watch.close();
      await reading;
    },
  };
}

function isWorkload({ value }: SourceDocument): boolean {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'Workload';
}

/** Only documents that are new are read; of the others the name is known. Throws EDW_ERR_STORE_INVENTORY. */
function changesIn(
  dir: string,
  documents: readonly SourceDocument[],
  known: ReadonlyMap<unknown, string>,
): { edits: WorkloadEdit[]; names: Map<unknown, string> } {
  const fresh = documents.filter(({ value }) => !known.has(value));
  const findings: Finding[] = [];
  const { workloads } = linkModel(fresh.map(asInventory), findings);
  const errors = findings.filter(({ severity }) => severity === 'error');
  if (errors.length > 0) throw brokenInventory(dir, errors);
  const edits: WorkloadEdit[] = [];
  const freshValues = new Map<unknown, string>();
  for (const { value } of workloads)
    edits.push({ name: value.name, is: { labels: value.labels, addresses: value.addresses } });
  for (const { value } of fresh) freshValues.set(value, nameIn(value));
  const names = new Map<unknown, string>();
  const taken = new Set<string>();
  for (const { value, file } of documents) {
    const name = known.get(value) ?? freshValues.get(value) ?? '';
    if (taken.has(name)) throw twice(dir, file, name);
    taken.add(name);
    names.set(value, name);
  }
  for (const name of new Set(known.values())) if (!taken.has(name)) edits.push({ name, is: null });
  return { edits, names };
}

/** What a host's own agent protects is policy, and in the bundle; here it is a workload like any other. */
function asInventory(document: SourceDocument): SourceDocument {
  const { point: _point, ports: _ports, mode: _mode, ...value } = document.value as Record<string, unknown>;
  return { file: document.file, value, locate: (path, part) => document.locate(path, part) };
}

function nameIn(value: unknown): string {
  return typeof value === 'object' && value !== null && 'name' in value ? String(value.name) : '';
}

const MEND = 'Correct the inventory; what was in force before stays in force until then.';

function brokenInventory(dir: string, findings: readonly Finding[]): EdgewardError {
  const [first] = findings;
  const place = first === undefined ? '' : `${first.file}:${first.line}: ${first.message}`;
  const more = findings.length > 1 ? ` (and ${findings.length - 1} more)` : '';
  return new EdgewardError('EDW_ERR_STORE_INVENTORY', `reading the inventory in ${dir}: ${place}${more}`, {
    mend: MEND,
  });
}

function twice(dir: string, file: string, name: string): EdgewardError {
  const message = `reading the inventory in ${dir}: ${file}: there are two workloads named '${name}'`;
  return new EdgewardError('EDW_ERR_STORE_INVENTORY', message, { mend: MEND });
}

function brokenBy(dir: string, cause: unknown): EdgewardError {
  const message = `reading the inventory in ${dir}: ${messageOf(cause)}`;
  return new EdgewardError('EDW_ERR_STORE_INVENTORY', message, { mend: MEND, cause });
}
