/** Puts an answer or a coded failure on the wire. Nothing is cached and nothing is sniffed. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { HttpAnswer, HttpFailure } from './http-route.ts';

const fixedHeaders = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

/** Resolves when everything is handed over; a stream ends early, and quietly, when `signal` is aborted. */
export async function sendAnswer(response: ServerResponse, answer: HttpAnswer, signal: AbortSignal): Promise<void> {
  const status = answer.status ?? 200;
  if ('ndjson' in answer) await sendLines(response, status, answer.ndjson, signal);
  else if ('json' in answer)
    send(response, status, 'application/json; charset=utf-8', `${JSON.stringify(answer.json)}\n`);
  else send(response, status, answer.contentType ?? 'text/plain; charset=utf-8', answer.text);
}

/** Where an answer has begun already, cutting it is the only way left to say that it is not whole. */
export function sendFailure(response: ServerResponse, { status, error }: HttpFailure): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  if (status === 401) response.setHeader('www-authenticate', 'Bearer');
  // The rest of a refused body is never read.
  if (status === 413) response.setHeader('connection', 'close');
  const body = { error: { code: error.code, message: error.message, mend: error.mend } };
  send(response, status, 'application/json; charset=utf-8', `${JSON.stringify(body)}\n`);
}

function send(response: ServerResponse, status: number, contentType: string, body: string): void {
  const length = Buffer.byteLength(body);
  response.writeHead(status, { ...fixedHeaders, 'content-type': contentType, 'content-length': length });
  response.end(body);
}

async function sendLines(
  response: ServerResponse,
  status: number,
  lines: Iterable<unknown> | AsyncIterable<unknown>,
  signal: AbortSignal,
): Promise<void> {
  response.writeHead(status, { ...fixedHeaders, 'content-type': 'application/x-ndjson; charset=utf-8' });
  response.flushHeaders();
  const iterator = Symbol.asyncIterator in lines ? lines[Symbol.asyncIterator]() : lines[Symbol.iterator]();
  const aborted = once(signal, 'abort').then(() => null);
  if (signal.aborted) return endLines(response, iterator);
  while (!signal.aborted) {
    // A live source may be silent for hours: the abort must not wait for its next line.
    const next = await Promise.race([iterator.next(), aborted]);
    if (next === null || next.done) break;
    if (!response.write(`${JSON.stringify(next.value)}\n`)) await Promise.race([once(response, 'drain'), aborted]);
  }
  endLines(response, iterator);
}

function endLines(response: ServerResponse, iterator: Iterator<unknown> | AsyncIterator<unknown>): void {
  // Not awaited: a generator that waits for its next event returns only after it.
  void Promise.resolve(iterator.return?.()).catch(() => {});
  response.end();
}
