/**
 * Names, labels and addresses of all workloads in force, for whoever reads denials. Kept packed, and made
 * anew at most twice a minute where it is large: a thousand services that ask after every change must not have it made a thousand
 * times. A small one is never older than the question, since whoever has it asks again after a minute only.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import type { HttpAnswer, TlsRequest } from '@edgeward/runtime';
import { inventoryText, type Workloads } from '../publishing/inventory-text.ts';

const MOST_KEPT_MS = 30_000;
/** Of 100,000 workloads, 13 MB, half a minute. */
const KEPT_BYTES_PER_MS = 400;
/** Who asks less than this too early waits for the new one. */
const MOST_WAIT_MS = 2_000;
const TYPE = 'application/x-ndjson; charset=utf-8';

interface Listing {
  etag: string;
  changes: number;
  keptUntilMs: number;
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
    const lines = await linesOf(workloads);
    const packed = await promisify(gzip)(lines);
    const keptMs = Math.min(MOST_KEPT_MS, lines.length / KEPT_BYTES_PER_MS);
    return { etag: `${process}-${now}`, changes: now, keptUntilMs: performance.now() + keptMs, packed };
  }

  async function makeAfter(pauseMs: number): Promise<Listing> {
    if (pauseMs > 0) await sleep(pauseMs);
    return make();
  }

  /** Whoever asks while it is being made waits for that one. */
  async function listing(): Promise<Listing> {
    if (newest?.changes === changes()) return newest;
    const keptMs = (newest?.keptUntilMs ?? 0) - performance.now();
    if (newest !== null && keptMs > MOST_WAIT_MS) return newest;
    making ??= makeAfter(keptMs).finally(() => {
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
