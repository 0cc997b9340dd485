/**
 * Names, labels and addresses of all workloads in force, for whoever reads denials. Made at most twice a minute and kept
 * packed: a thousand services that ask after every change must not have it made a thousand times.
 */
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import type { HttpAnswer, TlsRequest } from '@edgeward/runtime';
import { inventoryText, type Workloads } from '../publishing/inventory-text.ts';

const KEEP_MS = 30_000;
const TYPE = 'application/x-ndjson; charset=utf-8';

interface Listing {
  etag: string;
  changes: number;
  madeMs: number;
  packed: Buffer;
}

export function listInventory(
  workloads: Workloads,
  changes: () => number,
): (request: TlsRequest) => Promise<HttpAnswer> {
  // Numbers begin anew with each process; what they count does not.
  const process = randomBytes(6).toString('hex');
  let newest: Listing | null = null;
  let making: Promise<Listing> | null = null;

  async function make(): Promise<Listing> {
    const now = changes();
    const packed = await promisify(gzip)(await linesOf(workloads));
    return { etag: `${process}-${now}`, changes: now, madeMs: performance.now(), packed };
  }

  /** Whoever asks while it is being made waits for that one. */
  async function listing(): Promise<Listing> {
    if (newest !== null && (newest.changes === changes() || performance.now() - newest.madeMs < KEEP_MS)) return newest;
    making ??= make().finally(() => {
      making = null;
    });
    newest = await making;
    return newest;
  }

  return async ({ headers }) => {
    const { etag, packed } = await listing();
    if (/\bgzip\b/.test(String(headers['accept-encoding'] ?? '')))
      return { bytes: packed, contentType: TYPE, etag, headers: { 'content-encoding': 'gzip' } };
    return { bytes: await promisify(gunzip)(packed), contentType: TYPE, etag };
  };
}

async function linesOf(workloads: Workloads): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of inventoryText(workloads)) pieces.push(piece);
  return Buffer.concat(pieces);
}
