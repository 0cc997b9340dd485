/**
 * Processes as Linux shows them in /proc: who a number is, and whose child. A number alone says nothing for long, because
 * numbers are used again; with the time at which the process started it is the same process or none.
 */
import { readFile } from 'node:fs/promises';

/** `PID:START`, START in clock ticks since the boot. Never two processes of one boot. Plain text, to be kept on disk. */
export type ProcessId = string;

export interface ProcessEntry {
  readonly id: ProcessId;
  readonly pid: number;
  readonly parent: number;
  /** The words it was started with, or the title that it gave itself. */
  readonly title: string;
}

/** null: there is none, it has ended and waits for its parent, or it is hidden from this user. */
export async function processOf(pid: number): Promise<ProcessEntry | null> {
  const [stat, title] = await Promise.all([textOf(`/proc/${pid}/stat`), textOf(`/proc/${pid}/cmdline`)]);
  if (stat === null || title === null) return null;
  // The name stands in brackets and may hold brackets and blanks itself.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state = 'X', parent = '0'] = fields;
  if (state === 'Z' || state === 'X') return null;
  return { id: `${pid}:${fields[19] ?? ''}`, pid, parent: Number(parent), title: title.replaceAll('\0', ' ').trim() };
}

export async function childrenOf(pid: number): Promise<ProcessEntry[]> {
  const text = await textOf(`/proc/${pid}/task/${pid}/children`);
  if (text === null) return [];
  const children = await Promise.all(text.split(' ').filter(Boolean).map(Number).map(processOf));
  // A number may have changed hands between the two looks.
  return children.filter((child) => child !== null).filter(({ parent }) => parent === pid);
}

export function pidOf(id: ProcessId): number {
  return Number(id.slice(0, id.indexOf(':')));
}

function textOf(path: string): Promise<string | null> {
  return readFile(path, 'latin1').catch(() => null);
}
