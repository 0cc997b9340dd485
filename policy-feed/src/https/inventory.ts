/** The inventory over HTTPS: by its ETag, packed, and taken in piece by piece. */
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { messageOf, systemCodeOf } from '@edgeward/runtime';
import type { Dispatcher } from 'undici';
import { cleanText, storeFailure } from '../failures.ts';
import { INVENTORY_BYTES, inventoryLines } from '../inventory-lines.ts';
import type { Inventory } from '../transport.ts';
import { boundedBody, ERROR_BYTES, isPacked } from './bounded-body.ts';
import type { Site } from './call.ts';
import { type Deadline, deadline } from './deadline.ts';
import { refusalOf } from './refusals.ts';

export interface InventoryAsk {
  known: string | null;
  signal: AbortSignal;
  /** Of the whole call. */
  limitMs: number;
}

/** Null: nothing is newer. */
export async function inventoryFrom(site: Site, ask: InventoryAsk): Promise<Inventory | null> {
  const doing = `asking ${site.url.origin} for the names of workloads`;
  const limit = deadline(ask.limitMs, ask.signal);
  try {
    const headers = { 'accept-encoding': 'gzip', ...(ask.known !== null && { 'if-none-match': ask.known }) };
    const answer = await site.stream({ method: 'GET', path: '/v1/inventory', headers, doing }, limit.signal);
    // Destroyed before its end, a body says so as an event that nobody else waits for.
    answer.body.on('error', () => {});
    if (answer.statusCode === 200) {
      const { etag } = answer.headers;
      return { etag: typeof etag === 'string' ? etag : '', lines: linesOf(answer, doing, limit) };
    }
    limit.clear();
    if (answer.statusCode === 304 && ask.known !== null) {
      await answer.body.dump({ limit: ERROR_BYTES });
      return null;
    }
    throw await refused(answer, doing);
  } catch (thrown) {
    limit.clear();
    throw lost(doing, thrown);
  }
}

async function* linesOf(answer: Dispatcher.ResponseData, doing: string, limit: Deadline): AsyncGenerator<string[]> {
  const { body } = answer;
  try {
    yield* inventoryLines(unpacked(answer, doing), doing);
  } catch (thrown) {
    if (limit.isOver()) throw storeFailure('EDW_ERR_STORE_UNREACHABLE', `${doing}: it took too long`, thrown);
    throw lost(doing, thrown);
  } finally {
    limit.clear();
    body.destroy();
  }
}

/** Packed a thousand times, its lines are counted as they come out, and the rest stays packed. */
function unpacked({ headers, body }: Dispatcher.ResponseData, doing: string): Readable {
  const said = Number(headers['content-length'] ?? 0);
  if (said > INVENTORY_BYTES) throw storeFailure('EDW_ERR_STORE_ANSWER', `${doing}: it is too large`);
  if (!isPacked({ headers }, doing)) return body;
  const gunzip = createGunzip();
  body.once('error', (thrown) => gunzip.destroy(thrown));
  return body.pipe(gunzip);
}

async function refused({ statusCode: status, headers, body }: Dispatcher.ResponseData, doing: string): Promise<Error> {
  if (status < 400) {
    body.destroy();
    return refusalOf({ status, headers, bytes: new Uint8Array(), wireBytes: 0 }, doing);
  }
  return refusalOf({ status, headers, ...(await boundedBody({ headers, body }, ERROR_BYTES, doing)) }, doing);
}

function lost(doing: string, thrown: unknown): Error {
  const code = systemCodeOf(thrown) ?? '';
  if (code.startsWith('EDW_ERR_') && thrown instanceof Error) return thrown;
  const message = `${doing}: ${cleanText(messageOf(thrown))}`;
  return storeFailure(code.startsWith('Z_') ? 'EDW_ERR_STORE_ANSWER' : 'EDW_ERR_STORE_UNREACHABLE', message, thrown);
}
