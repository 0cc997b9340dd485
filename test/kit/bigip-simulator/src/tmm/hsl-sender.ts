/** One way out for high-speed logging. It connects when there is something to say, and again when it was cut off. */
import { createSocket, type Socket as Datagrams } from 'node:dgram';
import { connect, isIPv6, type Socket } from 'node:net';
import type { Member } from './balancing.ts';

export interface HslSender {
  /** Takes it, or drops it when the buffer is full. */
  send(data: Buffer): void;
  close(): void;
}

const MAX_BUFFER_BYTES = 4 * 1024 * 1024;
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 2000;

export function streamSender(pick: () => Member | null, onFull: (full: boolean) => void): HslSender {
  let socket: Socket | null = null;
  let up = false;
  let closed = false;
  let full = false;
  let retryMs = FIRST_RETRY_MS;
  let timer: NodeJS.Timeout | undefined;
  let buffered: Buffer[] = [];
  let bytes = 0;

  const tell = (now: boolean): void => {
    if (full === now) return;
    full = now;
    onFull(now);
  };
  const flush = (): void => {
    if (socket === null || !up || socket.writableNeedDrain) return;
    const waiting = buffered;
    buffered = [];
    bytes = 0;
    if (waiting.length > 0) socket.write(Buffer.concat(waiting));
    tell(false);
  };
  const again = (): void => {
    socket = null;
    up = false;
    if (closed || timer !== undefined) return;
    timer = setTimeout(open, retryMs);
    retryMs = Math.min(LAST_RETRY_MS, retryMs * 2);
  };
  const open = (): void => {
    timer = undefined;
    const member = pick();
    if (closed) return;
    if (member === null) {
      again();
      return;
    }
    socket = connect(member.port, member.host);
    socket.setNoDelay(true);
    socket.on('connect', () => {
      up = true;
      retryMs = FIRST_RETRY_MS;
      flush();
    });
    socket.on('drain', flush);
    socket.on('error', () => {});
    socket.on('end', () => socket?.destroy());
    socket.on('close', again);
    socket.resume();
  };
  return {
    send(data) {
      if (closed) return;
      if (bytes + data.length > MAX_BUFFER_BYTES) return tell(true);
      buffered.push(data);
      bytes += data.length;
      if (socket === null && timer === undefined) open();
      flush();
    },
    close() {
      closed = true;
      clearTimeout(timer);
      socket?.end();
      socket?.destroySoon();
    },
  };
}

export function datagramSender(pick: () => Member | null): HslSender {
  const sockets = new Map<'udp4' | 'udp6', Datagrams>();
  const socketOf = (family: 'udp4' | 'udp6'): Datagrams => {
    const socket = sockets.get(family) ?? createSocket(family);
    if (!sockets.has(family)) socket.on('error', () => {});
    sockets.set(family, socket);
    return socket;
  };
  return {
    send(data) {
      const member = pick();
      if (member !== null)
        socketOf(isIPv6(member.host) ? 'udp6' : 'udp4').send(data, member.port, member.host, () => {});
    },
    close() {
      for (const socket of sockets.values()) socket.close();
      sockets.clear();
    },
  };
}
