/**
 * Many requests that are denied, over kept connections: each sends its next burst when the one before is answered. It tells
 * how many were sent and how many answers were seen; where NGINX is killed meanwhile the truth lies between the two.
 */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface FloodOptions {
  port: number;
  /** Of all connections together. */
  requests: number;
  /** Default 8. */
  connections?: number;
  /** Default 50. */
  burst?: number;
  /** What X-Test-Source says in the nth request; without it the connection's own address counts. */
  source?: (nth: number) => string;
  /** What is asked for; default `/flood`. */
  path?: (nth: number) => string;
  /** Ends it early. */
  signal?: AbortSignal;
  /** For the answers of one burst: default 20 s. */
  timeoutMs?: number;
}

export interface Flood {
  sent: number;
  /** Answers 403. */
  refused: number;
  /** Answers of any other kind. */
  others: number;
  /** How often each reference was shown. */
  refs: Map<string, number>;
}

export async function flood(options: FloodOptions): Promise<Flood> {
  const seen: Flood = { sent: 0, refused: 0, others: 0, refs: new Map() };
  const connections = Array.from({ length: options.connections ?? 8 }, async () => {
    while (seen.sent < options.requests && options.signal?.aborted !== true) {
      await overOneConnection(options, seen).catch(() => sleep(2));
    }
  });
  await Promise.all(connections);
  return seen;
}

/** Until enough were sent; rejects when it breaks. */
function overOneConnection(options: FloodOptions, seen: Flood): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: options.port, noDelay: true });
    let awaited = 0;
    let rest = '';
    const next = (): void => {
      const burst = Math.min(options.burst ?? 50, options.requests - seen.sent);
      if (burst <= 0 || options.signal?.aborted === true) return void socket.end(resolve);
      const requests = Array.from({ length: burst }, (_, n) => requestText(options, seen.sent + n));
      seen.sent += burst;
      awaited = burst;
      socket.write(requests.join(''));
    };
    socket.setTimeout(options.timeoutMs ?? 20_000, () => socket.destroy(new Error('no answer')));
    socket.on('connect', next);
    socket.on('data', (piece) => {
      rest += piece.toString('latin1');
      for (let end = answerEnd(rest); end !== null; end = answerEnd(rest)) {
        note(rest.slice(0, end), seen);
        rest = rest.slice(end);
        awaited -= 1;
      }
      if (awaited === 0) next();
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('closed')));
  });
}

function answerEnd(text: string): number | null {
  const head = text.indexOf('\r\n\r\n');
  const length = /^Content-Length: (\d+)\r$/m.exec(text.slice(0, Math.max(0, head + 2)));
  const end = head + 4 + Number(length?.[1]);
  return head >= 0 && text.length >= end ? end : null;
}

function note(answer: string, seen: Flood): void {
  const ref = /^Edgeward-Ref: ([0-9a-f]{16})\r$/m.exec(answer)?.[1];
  if (!answer.startsWith('HTTP/1.1 403 ') || ref === undefined) seen.others += 1;
  else {
    seen.refused += 1;
    seen.refs.set(ref, (seen.refs.get(ref) ?? 0) + 1);
  }
}

function requestText({ source, path }: FloodOptions, nth: number): string {
  const from = source === undefined ? '' : `X-Test-Source: ${source(nth)}\r\n`;
  return `GET ${path?.(nth) ?? '/flood'} HTTP/1.1\r\nHost: shop.example\r\n${from}\r\n`;
}
