/**
 * What is new for one point, asked over HTTP. With a cursor and time to wait, one long poll of the delta brings a change in
 * one round trip. Where there is no delta from here, the head is asked for. Without waiting the head is asked for, by its
 * ETag: so a head that was signed anew is seen as well.
 */
import { type Cursor, formatCursor, LIMITS } from '@edgeward/policy-format';
import { cursorIn, HEAD_WIRE_BYTES, isSameState, readDelta, readSigned } from '../documents.ts';
import type { SeenHeads } from '../seen-heads.ts';
import type { News } from '../transport.ts';
import type { Answer, Site } from './call.ts';
import { refusalOf } from './refusals.ts';

export interface PointNews {
  next(point: string, known: Cursor | null, options: { waitMs: number; signal: AbortSignal }): Promise<News>;
}

type Waiting = { waitMs: number; signal: AbortSignal };

/** `callMs`: the time of a call beside what it waits. */
export function createPointNews(site: Site, callMs: number, seen: SeenHeads): PointNews {
  async function head(point: string, known: Cursor | null, { waitMs, signal }: Waiting): Promise<News> {
    const doing = `asking ${site.url.origin} for the head of ${point}`;
    const tag = seen.tagOf(point, known);
    const headers = { ...preferring(waitMs), ...(tag !== null && { 'if-none-match': tag }) };
    const path = `/v1/points/${point}/head`;
    const ask = { method: 'GET', path, headers, limitMs: callMs + waitMs, maxBytes: HEAD_WIRE_BYTES, doing } as const;
    const answer = await site.call(ask, signal);
    if (answer.status === 304 && tag !== null) return { state: 'unchanged' };
    if (answer.status !== 200) throw refusalOf(answer, doing, 'EDW_ERR_STORE_NO_POINT');
    const document = readSigned(answer.bytes, doing, HEAD_WIRE_BYTES);
    seen.saw(point, etagOf(answer), document);
    return { state: 'head', head: document, bytes: answer.wireBytes };
  }

  /** Null where there is none from here; then the head is the way. `mayWait`: it can be waited for. */
  async function delta(
    point: string,
    known: Cursor,
    { waitMs, signal }: Waiting,
  ): Promise<News | { state: 'none'; mayWait: boolean }> {
    const doing = `asking ${site.url.origin} for what changed at ${point}`;
    const path = `/v1/points/${point}/delta?from=${formatCursor(known)}`;
    const limits = { limitMs: callMs + waitMs, maxBytes: LIMITS.deltaBytes };
    const answer = await site.call({ method: 'GET', path, headers: preferring(waitMs), ...limits, doing }, signal);
    if (answer.status === 204) return { state: 'unchanged' };
    if (answer.status === 200)
      return { state: 'delta', delta: readDelta(answer.bytes, doing), bytes: answer.wireBytes };
    if (answer.status === 303 || answer.status === 409) return { state: 'none', mayWait: false };
    if (answer.status === 404) return { state: 'none', mayWait: true };
    throw refusalOf(answer, doing);
  }

  return {
    async next(point, known, options) {
      if (known === null) return head(point, null, { ...options, waitMs: 0 });
      if (options.waitMs > 0) {
        const changed = await delta(point, known, options);
        if (changed.state !== 'none') return changed;
        return head(point, known, changed.mayWait ? options : { ...options, waitMs: 0 });
      }
      const newest = await head(point, known, options);
      if (newest.state !== 'head' || isSameState(cursorIn(newest.head), known)) return newest;
      // The page of one member costs more than the change that brought it.
      const changed = await delta(point, known, options);
      return changed.state === 'delta' ? changed : newest;
    },
  };
}

/** RFC 7240 counts in seconds. Unpacking is bounded like everything else. */
function preferring(waitMs: number): Record<string, string> {
  const seconds = Math.floor(waitMs / 1000);
  return { 'accept-encoding': 'gzip', ...(seconds > 0 && { prefer: `wait=${seconds}` }) };
}

function etagOf(answer: Answer): string | null {
  const tag = answer.headers.etag;
  return typeof tag === 'string' && /^(?:W\/)?"[!#-~]{1,200}"$/.test(tag) ? tag : null;
}
