/**
 * One HTTP/1 request as raw bytes, and what came back. Nothing is tidied up on the way out, which is the point: a
 * client library would refuse to send most of what is sent through here. Bounded in time.
 */
import { connect } from 'node:net';

export interface RawRequest {
  port: number;
  bytes: string | Uint8Array;
  /** Any address of 127.0.0.0/8. */
  localAddress?: string;
  /** Default 20 s. */
  timeoutMs?: number;
}

export interface RawAnswer {
  /** 0 where there was no status line: HTTP/0.9, or a connection closed without a word. */
  status: number;
  /** Names in lower case; repeated ones joined by `, `. */
  headers: Record<string, string>;
  body: string;
}

export function rawRequest(request: RawRequest): Promise<RawAnswer> {
  const { port, localAddress, timeoutMs = 20_000 } = request;
  const bytes = typeof request.bytes === 'string' ? Buffer.from(request.bytes, 'utf8') : Buffer.from(request.bytes);
  const isHead = bytes.subarray(0, 5).toString('latin1') === 'HEAD ';
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, ...(localAddress === undefined ? {} : { localAddress }) });
    const pieces: Buffer[] = [];
    const timer = setTimeout(() => socket.destroy(new Error(`no whole answer within ${timeoutMs} ms`)), timeoutMs);
    const done = ({ status, headers, body }: RawAnswer): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ status, headers, body });
    };
    socket.on('connect', () => socket.write(bytes));
    socket.on('data', (piece) => {
      pieces.push(piece);
      const answer = parse(Buffer.concat(pieces), isHead);
      if (answer.whole) done(answer);
    });
    socket.on('end', () => done(parse(Buffer.concat(pieces), isHead)));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // A server that refuses in the middle of a long request resets; its answer may have come before.
      const answer = parse(Buffer.concat(pieces), isHead);
      if (answer.status > 0 && error.code === 'ECONNRESET') return done(answer);
      clearTimeout(timer);
      reject(error);
    });
  });
}

function parse(bytes: Buffer, isHead: boolean): RawAnswer & { whole: boolean } {
  const text = bytes.toString('latin1');
  const end = text.indexOf('\r\n\r\n');
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(text);
  if (end < 0 || status === null) return { status: 0, headers: {}, body: bytes.toString('utf8'), whole: false };
  const headers = headersOf(text.slice(0, end));
  const body = bytes.subarray(end + 4);
  const length = headers['content-length'];
  const whole = isHead || (length !== undefined && body.length >= Number(length));
  return { status: Number(status[1]), headers, body: bodyOf(body, headers), whole };
}

function headersOf(head: string): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of head.split('\r\n').slice(1)) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  return headers;
}

function bodyOf(body: Buffer, headers: Record<string, string>): string {
  if (headers['transfer-encoding'] !== 'chunked') return body.toString('utf8');
  const pieces: Buffer[] = [];
  let at = 0;
  while (at < body.length) {
    const end = body.indexOf('\r\n', at);
    const size = end < 0 ? 0 : Number.parseInt(body.subarray(at, end).toString('latin1'), 16);
    if (!(size > 0)) break;
    pieces.push(body.subarray(end + 2, end + 2 + size));
    at = end + 4 + size;
  }
  return Buffer.concat(pieces).toString('utf8');
}
