/** What a proposal is measured against, and with: read when it is needed, as nobody keeps a large policy in memory for that. */
import { setImmediate } from 'node:timers/promises';
import type { SourceDocument } from '@edgeward/policy';
import type { Approval, Digest, TrustRoot } from '@edgeward/policy-format';
import type { Recomputation } from './recomputation.ts';
import type { Versions } from './versions.ts';

/** The version that the next one builds on. */
export interface Basis {
  approval: Approval;
  /** Of the approval's payload. */
  digest: Digest;
  /** Documents of the newest version that was approved in full. */
  approved: { digest: Digest; bytes: number; read(): Promise<Uint8Array> };
}

export function basisOf(versions: Pick<Versions, 'newest' | 'newestInFull' | 'documents'>): Basis | null {
  const newest = versions.newest();
  const full = versions.newestInFull();
  if (newest === null || full === null) return null;
  const { digest, bytes } = full.payload.documents;
  const read = (): Promise<Uint8Array> => versions.documents(full.version);
  return { approval: newest.payload, digest: newest.digest, approved: { digest, bytes, read } };
}

/** What is to be computed again, before anything of it was read. */
export interface Asked {
  payload: Approval;
  root: TrustRoot;
  documents: Uint8Array;
  previous: Basis | null;
  /** Workloads as they are when it is computed; null: their tests are not run. */
  inventory: (() => Iterable<SourceDocument>) | null;
}

/** All bytes of it, or null where there are more than `maxBytes`. Bytes that are given are copied: they go to a thread. */
export async function gathered(asked: Asked, maxBytes: number): Promise<Recomputation | null> {
  const { payload, root, documents, previous, inventory } = asked;
  const known = documents.byteLength + (previous?.approved.bytes ?? 0);
  if (known > maxBytes) return null;
  const lines = inventory === null ? null : await linesOf(inventory(), maxBytes - known);
  if (inventory !== null && lines === null) return null;
  return {
    payload,
    root,
    documents: Uint8Array.from(documents),
    previous: await readBasis(previous),
    inventory: lines,
  };
}

async function readBasis(previous: Basis | null): Promise<Recomputation['previous']> {
  if (previous === null) return null;
  const { approval, digest, approved } = previous;
  return { approval, digest, approved: Uint8Array.from(await approved.read()) };
}

/** Workloads between two turns of others. */
const AT_ONCE = 2_000;

/** Of a document its file and its value, and no place in the file: workloads of a store have none. */
async function linesOf(
  documents: Iterable<SourceDocument>,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>[] | null> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let lines: string[] = [];
  let bytes = 0;
  const encoder = new TextEncoder();
  const end = (): boolean => {
    const chunk = encoder.encode(lines.join(''));
    chunks.push(chunk);
    lines = [];
    bytes += chunk.byteLength;
    return bytes <= maxBytes;
  };
  for (const { file, value } of documents) {
    lines.push(`${JSON.stringify([file, value])}\n`);
    if (lines.length < AT_ONCE) continue;
    if (!end()) return null;
    await setImmediate();
  }
  return end() ? chunks : null;
}
