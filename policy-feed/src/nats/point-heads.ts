/**
 * What is new for one point, by direct reads: the head, and the delta when it leads from what the caller holds to that
 * head. A copy of the stream may lag behind; what it still holds is not given as news.
 */
import { type Cursor, LIMITS } from '@edgeward/policy-format';
import { cursorIn, HEAD_WIRE_BYTES, isSameState, readDelta, readSigned } from '../documents.ts';
import { storeFailure } from '../failures.ts';
import { createSeenHeads } from '../seen-heads.ts';
import type { News } from '../transport.ts';
import type { DirectMessage, DirectReader } from './direct-read.ts';
import { deltaSubject, headSubject, STREAMS } from './layout.ts';

export interface PointHeads {
  /** `renewals`: a head of the state that the caller holds is news too, when it was not given here before. */
  look(point: string, known: Cursor | null, options: { renewals: boolean; signal: AbortSignal }): Promise<News>;
}

export function createPointHeads(read: DirectReader, name: string): PointHeads {
  const seen = createSeenHeads();
  const newest = new Map<string, { sequence: number; atMs: number }>();

  /** Older in both: a stream that was made anew counts from 1 again, and clocks of nodes differ. */
  function lags(point: string, message: DirectMessage): boolean {
    const last = newest.get(point);
    if (last !== undefined && message.sequence < last.sequence && message.atMs <= last.atMs) return true;
    newest.set(point, { sequence: message.sequence, atMs: message.atMs });
    return false;
  }

  async function delta(point: string, known: Cursor, payload: string, signal: AbortSignal): Promise<News | null> {
    const doing = `asking ${name} for what changed at ${point}`;
    const subject = deltaSubject(point);
    const message = await read({
      stream: STREAMS.deltas,
      subject,
      doing,
      maxBytes: LIMITS.deltaBytes,
      signal,
    });
    if (message === null || message.bytes.length === 0) return null;
    const found = readDelta(message.bytes, doing);
    const fits = isSameState(found.from, known) && found.head.payload === payload;
    return fits ? { state: 'delta', delta: found, bytes: message.bytes.length } : null;
  }

  return {
    async look(point, known, { renewals, signal }) {
      const doing = `asking ${name} for the head of ${point}`;
      const subject = headSubject(point);
      const message = await read({ stream: STREAMS.heads, subject, doing, maxBytes: HEAD_WIRE_BYTES, signal });
      // A key that was deleted is a message without bytes.
      if (message === null || message.bytes.length === 0)
        throw storeFailure('EDW_ERR_STORE_NO_POINT', `${doing}: there is none`);
      const tag = `${message.sequence}.${message.atMs}`;
      const held = seen.tagOf(point, known);
      if (held === tag) return { state: 'unchanged' };
      if (lags(point, message) && known !== null) return { state: 'unchanged' };
      const head = readSigned(message.bytes, doing, HEAD_WIRE_BYTES);
      seen.saw(point, tag, head);
      const snapshot: News = { state: 'head', head, bytes: message.bytes.length };
      if (known === null) return snapshot;
      if (isSameState(cursorIn(head), known)) return renewals || held !== null ? snapshot : { state: 'unchanged' };
      return (await delta(point, known, head.payload, signal)) ?? snapshot;
    },
  };
}
