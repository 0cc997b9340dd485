import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { systemCodeOf } from '@edgeward/runtime';
import { frameHead, parseAnswerHead } from '../src/frame.ts';
import { certificateError, readMaterial } from './push-connection.ts';
import {
  callFailed,
  isSecure,
  notEdgeward,
  type PushAnswer,
  type PushCall,
  type PushTransport,
  type TransportOptions,
} from './push-transport.ts';

/**
 * Calls as frames to the stream module, each over a connection of its own: NGINX answers one and closes. Only a whole answer
 * is one; a reset behind it says nothing, because NGINX leaves what it read in the kernel and closes over it.
 */
export function openPushFrames(options: TransportOptions): PushTransport {
  const ended = new AbortController();
  const send = (call: PushCall): Promise<PushAnswer> => sendFrame(options, call, ended.signal);
  return {
    call: (call) => (IN_PIECES[call.path] ?? once)(send, call),
    close: () => ended.abort(),
  };
}

type Send = (call: PushCall) => Promise<PushAnswer>;
type Calling = (send: Send, call: PushCall) => Promise<PushAnswer>;

/** What may be too large for one frame, or its answer. A key has at most 270 characters, the header of an object few more. */
const IN_PIECES: Record<string, Calling> = {
  keys: keysInPages,
  counts: countsInPages,
  values: (send, call) => linesInPieces(send, call, 60),
  delete: (send, call) => linesInPieces(send, call, 500),
};

const once: Calling = (send, call) => send(call);

/** Answers that are lists become one list. */
async function linesInPieces(send: Send, call: PushCall, most: number): Promise<PushAnswer> {
  const lines = call.body.split('\n');
  let last: PushAnswer = { status: 200, text: '[]' };
  const told: unknown[] = [];
  for (let at = 0; at < lines.length; at += most) {
    last = await send({ ...call, body: lines.slice(at, at + most).join('\n') });
    if (last.status !== 200) return last;
    const value: unknown = JSON.parse(last.text);
    if (Array.isArray(value)) told.push(...(value as unknown[]));
  }
  return told.length === 0 ? last : { status: 200, text: JSON.stringify(told) };
}

/** More than any zone holds, so that nothing here goes on for ever. */
const MOST_PAGES = 100_000;
/** Far more than one answer takes. */
const ANSWER_LIMIT_BYTES = 1_048_576;

async function keysInPages(send: Send, call: PushCall): Promise<PushAnswer> {
  const keys: string[] = [];
  let from: number | null = 0;
  for (let page = 0; page < MOST_PAGES && from !== null; page += 1) {
    const answer = await send({ ...call, body: String(from) });
    if (answer.status !== 200) return answer;
    const told = JSON.parse(answer.text) as { keys: string[]; next: number | null };
    keys.push(...told.keys);
    from = told.next;
  }
  return { status: 200, text: JSON.stringify(keys) };
}

async function countsInPages(send: Send, call: PushCall): Promise<PushAnswer> {
  const counts: unknown[] = [];
  let first: object | null = null;
  let from: string | null = '';
  for (let page = 0; page < MOST_PAGES && from !== null; page += 1) {
    const answer = await send({ ...call, body: from });
    if (answer.status !== 200) return answer;
    const told = JSON.parse(answer.text) as { counts: unknown[]; next: string | null };
    first ??= told;
    counts.push(...told.counts);
    from = told.next;
  }
  return { status: 200, text: JSON.stringify({ ...first, counts }) };
}

async function sendFrame(options: TransportOptions, call: PushCall, signal: AbortSignal): Promise<PushAnswer> {
  const socket = await open(options);
  const lines = [`${call.method} ${call.path}`, call.token, call.bootId, call.writer, call.body].join('\n');
  return new Promise((resolve, reject) => {
    let received = '';
    let isTlsReady = false;
    socket.once('secureConnect', () => {
      isTlsReady = true;
    });
    const end = (cause: Error | null): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      const answer = answerIn(received);
      if (answer !== null) resolve(answer);
      else if (received !== '') reject(notAFrame(received, options));
      else reject(isTlsReady && isClosing(cause) ? notAccepted(options) : callFailed(cause ?? silence(), options));
      socket.destroy();
    };
    const abort = (): void => end(new Error('the driver was closed'));
    const timer = setTimeout(() => end(new Error(`no answer within ${options.timeoutMs} ms`)), options.timeoutMs);
    signal.addEventListener('abort', abort, { once: true });
    socket.setEncoding('latin1');
    socket.on('data', (piece: string) => {
      received += piece;
      if (answerIn(received) !== null || received.length > ANSWER_LIMIT_BYTES) end(null);
    });
    socket.on('error', end);
    socket.on('close', () => end(null));
    socket.write(`${frameHead(Buffer.byteLength(lines))}${lines}`);
  });
}

async function open({ point, url, tls }: TransportOptions): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const host = hostname.replaceAll(/[[\]]/g, '');
  if (!isSecure(url)) return connectPlain({ host, port: Number(port) });
  if (tls === null) throw certificateError(`calling ${url} for ${point}: no certificate of one's own is named`);
  const material = await readMaterial(point, tls);
  const named = isIP(host) === 0 ? { servername: host } : {};
  return connectTls({ host, port: Number(port), ...named, ...material, minVersion: 'TLSv1.2' });
}

/** null: not whole. */
function answerIn(received: string): PushAnswer | null {
  const head = parseAnswerHead(received);
  if (head === null || received.length < head.chars + head.length) return null;
  return { status: head.status, text: received.slice(head.chars, head.chars + head.length) };
}

function notAFrame(received: string, options: TransportOptions): Error {
  return notEdgeward(`the answer is no whole frame: ${JSON.stringify(received.slice(0, 80))}`, options);
}

function silence(): Error {
  return new Error('it closed the connection without an answer');
}

/** By the other end, and not because time was up. */
function isClosing(cause: Error | null): boolean {
  return cause === null || ['ECONNRESET', 'EPIPE'].includes(systemCodeOf(cause) ?? '');
}

/** NGINX finishes the handshake whatever the certificate, looks at it then, and closes without a word. */
function notAccepted({ url, point }: TransportOptions): Error {
  return certificateError(
    `calling NGINX at ${url} for ${point}: it closed the connection behind the handshake, as it does where it does not accept the certificate`,
  );
}
