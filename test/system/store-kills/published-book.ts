/**
 * Everything that the store gave out: by point and revision, who is a member and which version it is. Two states under one
 * revision are a contradiction, and remembered.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  bookFromPages,
  type Checkpoint,
  headOf,
  LIMITS,
  memberIndexOf,
  payloadOf,
  type SignedDocument,
  sliceApprovalOf,
} from '@edgeward/policy-format';
import { type InForce, numberIn } from './estate.ts';
import type { PublishedLine } from './store-process.ts';

export interface PublishedState extends InForce {
  stateRoot: string;
  /** Of what machines said. */
  number: number;
}

export interface PublishedBook {
  note(line: PublishedLine): void;
  /** What lies in the mirror, as far as it is whole: the next process begins with it. */
  noteMirror(folder: string): Promise<void>;
  at(point: string, revision: number): PublishedState | null;
  newest(point: string): number;
  count(): number;
  /** Of the record, as heads carried them. */
  checkpoints(): Checkpoint[];
  contradictions: string[];
}

export function publishedBook(): PublishedBook {
  const states = new Map<string, Map<number, PublishedState>>();
  const checkpoints = new Map<string, Checkpoint>();
  const contradictions: string[] = [];

  function note({ point, revision, stateRoot, version, members, log }: PublishedLine): void {
    const known = states.get(point) ?? new Map<number, PublishedState>();
    states.set(point, known);
    const before = known.get(revision);
    if (before !== undefined && before.stateRoot !== stateRoot)
      contradictions.push(`${point}: revision ${revision} is ${before.stateRoot} and ${stateRoot}`);
    known.set(revision, { stateRoot, version, members: new Set(members), number: numberIn(members) });
    checkpoints.set(`${log.size} ${log.hash}`, log);
  }

  return {
    note,
    async noteMirror(folder) {
      for (const file of await readdir(join(folder, 'heads')).catch(() => [])) {
        const line = await lineIn(folder, file);
        if (line !== null) note(line);
      }
    },
    at: (point, revision) => states.get(point)?.get(revision) ?? null,
    newest: (point) => Math.max(0, ...(states.get(point)?.keys() ?? [])),
    count: () => [...states.values()].reduce((sum, known) => sum + known.size, 0),
    checkpoints: () => [...checkpoints.values()],
    contradictions,
  };
}

/** Null where something of it is not there: then the store makes it anew before anybody is served. */
async function lineIn(folder: string, file: string): Promise<PublishedLine | null> {
  const blob = (digest: string): Promise<Buffer> => readFile(join(folder, 'blobs/sha256', digest));
  try {
    const document = JSON.parse(await readFile(join(folder, 'heads', file), 'utf8')) as SignedDocument;
    const { aud, revision, stateRoot, log, members, approval } = headOf(payloadOf(document, file, LIMITS.headBytes));
    const index = await blob(members.digest);
    const pages = await Promise.all(memberIndexOf(index).pages.map(({ digest }) => blob(digest)));
    const book = bookFromPages(index, pages, () => true);
    const signed = payloadOf(sliceApprovalOf(await blob(approval.digest)).approval, 'approval', LIMITS.approvalBytes);
    const { version } = signed as { version: number };
    const all = [...book.groups()].flatMap((group) => book.members(group));
    return { point: aud, revision, stateRoot, version, members: all, log };
  } catch {
    return null;
  }
}
