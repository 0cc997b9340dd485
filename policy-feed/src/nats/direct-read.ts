/**
 * Reads without a consumer: the last message of one subject, from whichever copy of the stream answers. The right to ask
 * names the subject. A copy may lag behind, and a node that just died is asked until the others have noticed: so a read
 * is made again, in all a bounded number of times.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Msg } from '@nats-io/transport-node';
import { storeFailure } from '../failures.ts';
import { readSubject } from './layout.ts';
import type { NatsLink } from './link.ts';
import { natsFailure, untilAborted } from './nats-failure.ts';

export interface DirectMessage {
  bytes: Uint8Array;
  sequence: number;
  /** When the stream took it; orders messages also over a stream that was made anew. */
  atMs: number;
  header(name: string): string | null;
}

interface DirectRead {
  stream: string;
  subject: string;
  /** What messages begin with: `asking tls://nats-1:4222 for the head of edge-1`. */
  doing: string;
  maxBytes: number;
  signal: AbortSignal;
}

const ATTEMPTS = 3;
/** Whoever is refused at once would spend all attempts at once. */
const PAUSE_MS = 250;

export type DirectReader = (read: DirectRead) => Promise<DirectMessage | null>;

/** `attemptMs` bounds one attempt. Throws EDW_ERR_STORE_UNREACHABLE, EDW_ERR_STORE_REFUSED, EDW_ERR_STORE_ANSWER. */
export function createDirectReader(link: NatsLink, attemptMs: number): DirectReader {
  return async (read) => {
    const { signal } = read;
    let last: unknown = null;
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      signal.throwIfAborted();
      const outcome = await asked(link, read, attemptMs);
      if ('message' in outcome) return outcome.message;
      if (!outcome.again) throw outcome.error;
      last = outcome.error;
    }
    link.hop('reads are not answered');
    throw last;
  };
}

type Outcome = { message: DirectMessage | null } | { error: unknown; again: boolean };

async function asked(link: NatsLink, read: DirectRead, attemptMs: number): Promise<Outcome> {
  const { stream, subject, doing, signal } = read;
  try {
    const connection = await link.ready(attemptMs, signal);
    const answer = await untilAborted(
      connection.request(readSubject(stream, subject), '', { timeout: attemptMs }),
      signal,
    );
    return messageIn(answer, read);
  } catch (thrown) {
    if (signal.aborted) throw signal.reason;
    const error = natsFailure(doing, thrown);
    const again = error.code === 'EDW_ERR_STORE_UNREACHABLE';
    if (again) await pause(PAUSE_MS, undefined, { signal });
    return { error, again };
  }
}

function messageIn(answer: Msg, read: DirectRead): Outcome {
  const { doing, maxBytes } = read;
  const code = answer.headers?.code ?? 0;
  if (code === 404) return { message: null };
  if (code !== 0)
    return { error: storeFailure('EDW_ERR_STORE_UNREACHABLE', `${doing}: NATS answered ${code}`), again: true };
  if (answer.data.length > maxBytes) {
    const message = `${doing}: it has ${answer.data.length} bytes, more than ${maxBytes}`;
    return { error: storeFailure('EDW_ERR_STORE_ANSWER', message), again: false };
  }
  const header = (name: string): string | null => answer.headers?.get(name) || null;
  const sequence = Number(header('Nats-Sequence'));
  const atMs = Date.parse(header('Nats-Time-Stamp') ?? '');
  if (!Number.isSafeInteger(sequence) || sequence < 1 || Number.isNaN(atMs))
    return { error: storeFailure('EDW_ERR_STORE_ANSWER', `${doing}: it is no message of a stream`), again: false };
  return { message: { bytes: answer.data, sequence, atMs, header } };
}
