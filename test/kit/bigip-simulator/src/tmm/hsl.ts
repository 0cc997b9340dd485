/**
 * High-speed logging: messages really leave, over TCP or UDP, to a member of the pool behind a publisher or of a pool
 * named outright. Traffic never waits: what does not fit into a bounded buffer is dropped, and from then on
 * HSL::send answers 0 until there is room again.
 */
import { createSocket, type Socket as Datagrams } from 'node:dgram';
import { connect, isIPv6, type Socket } from 'node:net';
import type { BoxConfig } from '../config/box-config.ts';
import type { Balancing, Member } from './balancing.ts';

export interface Hsl {
  /** `publisher`, `tcp` or `udp`, with the full path of the publisher or the pool. */
  send(kind: string, path: string, data: Buffer): void;
  /** Publishers that lead to a pool. */
  configure(config: BoxConfig): string[];
  close(): void;
}

export interface HslOptions {
  balancing: Balancing;
  /** Whether this target takes no more for the present. */
  onFull(kind: string, path: string, full: boolean): void;
}

interface Destination {
  protocol: 'tcp' | 'udp';
  pool: string;
}

interface Sender {
  send(data: Buffer): void;
  close(): void;
}

const MAX_BUFFER_BYTES = 4 * 1024 * 1024;
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 2000;

export function createHsl({ balancing, onFull }: HslOptions): Hsl {
  let publishers = new Map<string, Destination[]>();
  const senders = new Map<string, Sender>();
  const senderOf = ({ protocol, pool }: Destination, kind: string, path: string): Sender => {
    const key = `${protocol} ${pool} ${kind}`;
    const sender =
      senders.get(key) ??
      (protocol === 'tcp'
        ? streamSender(
            () => balancing.pick(pool),
            (full) => onFull(kind, path, full),
          )
        : datagramSender(() => balancing.pick(pool)));
    senders.set(key, sender);
    return sender;
  };
  return {
    send(kind, path, data) {
      const destinations =
        kind === 'publisher'
          ? (publishers.get(path) ?? [])
          : [{ protocol: kind === 'tcp' ? 'tcp' : 'udp', pool: path } as const];
      for (const destination of destinations) senderOf(destination, kind, path).send(data);
    },
    configure(config) {
      publishers = publishersOf(config);
      return config.list('sys log-config publisher').map(({ fullPath }) => fullPath);
    },
    close() {
      for (const sender of senders.values()) sender.close();
      senders.clear();
    },
  };
}

function publishersOf(config: BoxConfig): Map<string, Destination[]> {
  return new Map(
    config.list('sys log-config publisher').map(({ fullPath, properties }) => {
      const said = Array.isArray(properties.destinations) ? (properties.destinations as unknown[]) : [];
      return [fullPath, said.flatMap((one) => destinationOf(config, nameOf(one, fullPath)))];
    }),
  );
}

function nameOf(said: unknown, besides: string): string {
  const { fullPath, name } =
    typeof said === 'string' ? { fullPath: undefined, name: said } : (said as Record<string, unknown>);
  const path = String(fullPath ?? name ?? '');
  return path.startsWith('/') ? path : `${besides.slice(0, besides.lastIndexOf('/'))}/${path}`;
}

/** A destination that formats (remote-syslog, splunk) hands on to one that sends; its format is not applied. */
function destinationOf(config: BoxConfig, path: string, depth = 0): Destination[] {
  const remote = config.get('sys log-config destination remote-high-speed-log', path)?.properties;
  if (remote !== undefined) {
    const pool = nameOf(String(remote.poolName ?? remote.pool ?? ''), path);
    return [{ protocol: remote.protocol === 'udp' ? 'udp' : 'tcp', pool }];
  }
  for (const kind of ['remote-syslog', 'splunk', 'arcsight']) {
    const formatter = config.get(`sys log-config destination ${kind}`, path)?.properties;
    const next = formatter?.remoteHighSpeedLog ?? formatter?.forwardTo;
    if (typeof next === 'string' && depth < 4) return destinationOf(config, nameOf(next, path), depth + 1);
  }
  return [];
}

function streamSender(pick: () => Member | null, onFull: (full: boolean) => void): Sender {
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

function datagramSender(pick: () => Member | null): Sender {
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
