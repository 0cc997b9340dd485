/** Spools of tests. */
import type { Test } from 'tap';
import {
  type DenySpool,
  type DenySpoolOptions,
  type Entry,
  openDenySpool,
  type Shed,
  type StoredRecord,
} from '../src/index.ts';

export async function openSpool(t: Test, options: Partial<DenySpoolOptions> = {}): Promise<DenySpool> {
  const spool = await openDenySpool({ folder: options.folder ?? t.testdir({}), gapRecord, ...options });
  t.teardown(() => spool.close());
  return spool;
}

export const gapRecord = ({ count, fromMs, toMs }: Shed): string => `gap of ${count} from ${fromMs} to ${toMs}`;

export function entry(records: string[]): Entry {
  return { records, count: records.length, fromMs: 1, toMs: 2 };
}

export const texts = (records: readonly StoredRecord[]): string[] => records.map(({ record }) => record);

/** Everything that is not acknowledged, by number; reads as a sender does, and acknowledges nothing. */
export async function readAll(spool: DenySpool): Promise<Record<number, string>> {
  const found = await spool.read({ records: 100_000, bytes: 1e9 });
  return Object.fromEntries(found.map(({ seq, record }) => [seq, record]));
}

/** What the records of gaps among them tell of. */
export function told(records: readonly string[]): number {
  return records.reduce((total, record) => total + Number(/^gap of (\d+)/.exec(record)?.[1] ?? 0), 0);
}
