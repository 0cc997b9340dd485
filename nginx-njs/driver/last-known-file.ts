import { readFile } from 'node:fs/promises';
import type { CompiledPolicy } from '@edgeward/policy';
import { sha256Hex, writeDurably } from '@edgeward/runtime';
import type { Active } from '../src/layout.ts';
import { entriesOf, type Layout } from './entries.ts';
import type { Entry } from './object-tables.ts';

/**
 * The file that NGINX loads after a start: the modes of all objects, and the policy itself up to a limit. NGINX
 * reads it in the worker, about 4 ms a megabyte on the first request, so there is one; beyond it objects in
 * enforce are denied `no-policy` for the second until the sync service pushes.
 */
const LAST_KNOWN_LIMIT_BYTES: number = 8 * 1024 * 1024;

/** A module from before deltas refuses 2, which it could not read. */
const FORMATS = { former: 1, now: 2 } as const;

export interface LastKnown {
  active: Active;
  /** Empty where the policy was too large to be written. */
  entries(): Entry[];
}

export async function writeLastKnown(file: string, policy: CompiledPolicy, layout: Layout): Promise<void> {
  const body = bodyOf(layout);
  const head = {
    format: layout.headers.some(([, header]) => !header.startsWith('{')) ? FORMATS.now : FORMATS.former,
    generation: layout.active.generation,
    revision: layout.active.revision,
    hash: layout.active.hash,
    modes: Object.fromEntries(policy.objects.map((object) => [object.bind, object.mode])),
    sha256: body === null ? null : sha256Hex(body),
  };
  // NGINX's worker runs as another user and must read it; it says no more than the balancer's configuration does.
  await writeDurably(file, `${JSON.stringify(head)}\n${body ?? ''}`, { mode: 0o644 });
}

/** Characters that the file holds of this policy, nearly; none of one that is too large for it. */
export function lengthToWrite(layout: Layout): number {
  const length = lengthOf(layout);
  return length > LAST_KNOWN_LIMIT_BYTES ? 0 : length;
}

function lengthOf({ placements }: Layout): number {
  let length = 0;
  for (const { base } of placements.values()) length += base.size;
  return length;
}

/** What was written last, or null when there is none that can be read whole. */
export async function readLastKnown(file: string): Promise<LastKnown | null> {
  try {
    const text = await readFile(file, 'utf8');
    const end = text.indexOf('\n');
    const head = JSON.parse(text.slice(0, end)) as Active & { sha256: string | null };
    const body = text.slice(end + 1);
    if (head.sha256 !== null && sha256Hex(body) !== head.sha256) return null;
    return {
      active: { generation: head.generation, revision: head.revision, hash: head.hash },
      entries: () => (head.sha256 === null ? [] : body.split('\n').map(parseLine)),
    };
  } catch {
    return null;
  }
}

/** Whether NGINX would come back with what is in force now. */
export function isOf(last: LastKnown | null, active: Active): boolean {
  return last !== null && last.active.revision === active.revision && last.active.hash === active.hash;
}

function bodyOf(layout: Layout): string | null {
  if (lengthOf(layout) > LAST_KNOWN_LIMIT_BYTES) return null;
  const lines: string[] = [];
  let length = 0;
  for (const [key, value] of entriesOf(layout)) {
    length += key.length + value.length + 2;
    if (length > LAST_KNOWN_LIMIT_BYTES) return null;
    lines.push(`${key}\t${value}`);
  }
  return lines.join('\n');
}

function parseLine(line: string): Entry {
  const tab = line.indexOf('\t');
  return [line.slice(0, tab), line.slice(tab + 1)];
}
