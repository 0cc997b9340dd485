/**
 * Bytes of a TCP connection into syslog messages (RFC 6587). Which of its two framings is used is told anew for each
 * frame: a frame that begins with a count and a space is that many bytes long (§3.4.1), any other ends at the next newline
 * (§3.4.2). The frames are the same however the bytes are cut into chunks. What is too long is handed out once, by its
 * beginning, and its rest is skipped. What is held is bounded by four times the longest frame.
 *
 * A frame's bytes stand until the next `push`: whoever wants more than that copies them.
 */

export type Frame =
  /** Without what may end a frame: newline, carriage return, NUL. */
  | { kind: 'message'; bytes: Buffer }
  /** `head` is the message's first kilobyte, or the count that was too large. */
  | { kind: 'too-long'; head: Buffer }
  /** The connection ended inside a frame whose length was known. */
  | { kind: 'torn'; head: Buffer };

export interface SyslogFraming {
  push(chunk: Buffer): void;
  /** The next whole frame of what was pushed, or null. */
  next(): Frame | null;
  /** Called once, at the end of the connection and after the last `next`: what stands there unfinished. */
  end(): Frame | null;
  /** A frame has begun and not ended. */
  unfinished(): boolean;
  /** Memory held for this connection. */
  heldBytes(): number;
}

export const maxMessageBytes = 65_536;
const headBytes = 1_024;
/** More digits than that are no count: a broken frame must not make us skip for hours. */
const maxCountDigits = 7;
const [nul, newline, carriageReturn, space, zero, nine] = [0, 10, 13, 32, 48, 57];

export function createSyslogFraming(maxBytes: number = maxMessageBytes): SyslogFraming {
  let buffer: Buffer = Buffer.alloc(0);
  /** Unread bytes are those from `at` to `end`; past `end` a buffer of our own has room to grow. */
  let at = 0;
  let end = 0;
  let isOwn = false;
  /** No newline stands before it: a frame that comes in many pieces is searched once. */
  let searched = 0;
  let skipBytes = 0;
  let skipLine = false;

  function push(chunk: Buffer): void {
    const left = end - at;
    if (left === 0) {
      [buffer, at, end, searched, isOwn] = [chunk, 0, chunk.length, 0, false];
      return;
    }
    if (!isOwn || buffer.length - end < chunk.length) {
      // Twice the room, so that a byte at a time costs no more than all at once.
      const grown = Buffer.allocUnsafe(2 * (left + chunk.length));
      buffer.copy(grown, 0, at, end);
      [buffer, searched, at, end, isOwn] = [grown, Math.max(0, searched - at), 0, left, true];
    }
    chunk.copy(buffer, end);
    end += chunk.length;
  }

  function next(): Frame | null {
    skip();
    if (at === end) {
      if (isOwn) [buffer, at, end, searched, isOwn] = [Buffer.alloc(0), 0, 0, 0, false];
      return null;
    }
    const count = countAt(buffer, at, end);
    if (count === 'open') return null;
    return count === null ? line() : counted(count);
  }

  function skip(): void {
    if (skipBytes > 0) {
      const step = Math.min(skipBytes, end - at);
      at += step;
      skipBytes -= step;
      if (skipBytes > 0) return;
    }
    if (skipLine) {
      const found = newlineFrom(at);
      at = found < 0 ? end : found + 1;
      if (found < 0) return;
      skipLine = false;
    }
    while (at < end && isTrailer(buffer[at])) at += 1;
  }

  function counted({ length, start }: Count): Frame | null {
    if (length > maxBytes) {
      const head = buffer.subarray(at, start);
      at = start;
      skipBytes = length;
      return { kind: 'too-long', head };
    }
    if (end - start < length) return null;
    at = start + length;
    return { kind: 'message', bytes: trimmed(buffer.subarray(start, at)) };
  }

  function line(): Frame | null {
    const found = newlineFrom(Math.max(at, searched));
    searched = end;
    const start = at;
    if ((found < 0 ? end : found) - start > maxBytes) {
      at = found < 0 ? end : found + 1;
      skipLine = found < 0;
      return { kind: 'too-long', head: buffer.subarray(start, start + Math.min(headBytes, maxBytes + 1)) };
    }
    if (found < 0) return null;
    searched = at = found + 1;
    return { kind: 'message', bytes: trimmed(buffer.subarray(start, found)) };
  }

  function newlineFrom(from: number): number {
    const found = buffer.subarray(from, end).indexOf(newline);
    return found < 0 ? -1 : from + found;
  }

  return {
    push,
    next,
    end() {
      if (at === end) return null;
      const rest = buffer.subarray(at, end);
      const count = countAt(buffer, at, end);
      at = end;
      // A last line without its newline may be whole all the same: its reader can tell.
      if (count === null || count === 'open') return { kind: 'message', bytes: trimmed(rest) };
      return { kind: 'torn', head: rest.subarray(0, headBytes) };
    },
    unfinished: () => at < end || skipBytes > 0 || skipLine,
    heldBytes: () => buffer.length,
  };
}

interface Count {
  length: number;
  /** Where the message begins. */
  start: number;
}

/** `MSG-LEN SP`, or null where no count stands; open: it may still become one. */
function countAt(buffer: Buffer, at: number, end: number): Count | 'open' | null {
  if (buffer[at] === zero) return null;
  let length = 0;
  for (let i = at; i < end; i += 1) {
    const byte = buffer[i] ?? 0;
    if (byte === space && i > at) return { length, start: i + 1 };
    if (byte < zero || byte > nine || i - at === maxCountDigits) return null;
    length = length * 10 + byte - zero;
  }
  return 'open';
}

const isTrailer = (byte: number | undefined): boolean => byte === newline || byte === carriageReturn || byte === nul;

function trimmed(bytes: Buffer): Buffer {
  let length = bytes.length;
  while (length > 0 && isTrailer(bytes[length - 1])) length -= 1;
  return bytes.subarray(0, length);
}
