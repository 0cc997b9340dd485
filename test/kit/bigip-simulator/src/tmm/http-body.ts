/** HTTP content: taken out of its framing as it comes, and put back into it. */
import type { Socket } from 'node:net';
import { type ByteReader, write } from './byte-reader.ts';
import type { Framing } from './http-message.ts';

/** Pieces of content. It is `broken` when the sender breaks off or its framing can't be read. */
export interface Body {
  /** Null at the end. */
  read(): Promise<Buffer | null>;
  unread(data: Buffer): void;
  readonly state: 'open' | 'whole' | 'broken';
}

const MAX_LINE = 4096;
const EMPTY = Buffer.alloc(0);

export function bodyOf(reader: ByteReader, framing: Framing): Body {
  const pieces = piecesOf(reader, framing);
  const returned: Buffer[] = [];
  let state: Body['state'] = framing.kind === 'none' ? 'whole' : 'open';
  return {
    async read() {
      const back = returned.pop();
      if (back !== undefined) return back;
      const { value, done } = await pieces.next();
      if (done !== true) return value;
      if (state === 'open') state = value ? 'whole' : 'broken';
      return null;
    },
    unread: (data) => void (data.length > 0 && returned.push(data)),
    get state() {
      return state;
    },
  };
}

async function* piecesOf(reader: ByteReader, framing: Framing): AsyncGenerator<Buffer, boolean> {
  if (framing.kind === 'length') return yield* exactly(reader, framing.bytes);
  if (framing.kind === 'chunked') return yield* chunks(reader);
  if (framing.kind === 'until-close')
    for (let piece = await reader.read(); piece !== null; piece = await reader.read()) yield piece;
  return true;
}

async function* exactly(reader: ByteReader, bytes: number): AsyncGenerator<Buffer, boolean> {
  let left = bytes;
  while (left > 0) {
    const piece = await reader.read();
    if (piece === null) return false;
    if (piece.length > left) reader.unread(piece.subarray(left));
    const own = piece.subarray(0, left);
    left -= own.length;
    yield own;
  }
  return true;
}

async function* chunks(reader: ByteReader): AsyncGenerator<Buffer, boolean> {
  for (;;) {
    const size = /^([0-9a-fA-F]{1,8})[ \t]*(?:;.*)?$/.exec((await readLine(reader)) ?? '')?.[1];
    if (size === undefined) return false;
    const bytes = Number.parseInt(size, 16);
    if (bytes === 0) break;
    if (!(yield* exactly(reader, bytes))) return false;
    if ((await readLine(reader)) !== '') return false;
  }
  // Trailers are read and left out.
  for (let count = 0; count < 64; count++) {
    const line = await readLine(reader);
    if (line === null) return false;
    if (line === '') return true;
  }
  return false;
}

async function readLine(reader: ByteReader): Promise<string | null> {
  let data: Buffer = EMPTY;
  for (;;) {
    const piece = await reader.read();
    if (piece === null) return null;
    data = data.length === 0 ? piece : Buffer.concat([data, piece]);
    const end = data.indexOf(10);
    if (end !== -1) {
      reader.unread(data.subarray(end + 1));
      return data.toString('latin1', 0, end).replace(/\r$/, '');
    }
    if (data.length > MAX_LINE) return null;
  }
}

/** Sends what is left of a body; false when not all of it could be sent. */
export async function sendBody(body: Body, to: Socket, framing: Framing): Promise<boolean> {
  const chunked = framing.kind === 'chunked';
  for (let piece = await body.read(); piece !== null; piece = await body.read()) {
    if (to.destroyed) return false;
    if (piece.length > 0) await write(to, chunked ? asChunk(piece) : piece);
  }
  if (chunked && body.state === 'whole') await write(to, '0\r\n\r\n');
  return body.state === 'whole';
}

const asChunk = (piece: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]);

/** Reads content until there are so many bytes (-1: all) or it ends, at most `limit`. */
export async function collect(body: Body, bytes: number, limit: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let size = 0;
  while (size < limit && (bytes < 0 || size < bytes)) {
    const piece = await body.read();
    if (piece === null) break;
    pieces.push(piece);
    size += piece.length;
  }
  return Buffer.concat(pieces);
}
