/**
 * High-speed logging: messages really leave, over TCP or UDP, to a member of the pool behind a publisher or of a pool
 * named outright. Traffic never waits: what does not fit into a bounded buffer is dropped, and from then on
 * HSL::send answers 0 until there is room again.
 */
import type { BoxConfig } from '../config/box-config.ts';
import type { Balancing } from './balancing.ts';
import { datagramSender, type HslSender, streamSender } from './hsl-sender.ts';

export interface Hsl {
  /** `publisher`, `tcp` or `udp`, with the full path of the publisher or the pool. */
  send(kind: string, path: string, data: Buffer): void;
  configure(publishers: Publishers): void;
  close(): void;
}

export interface HslOptions {
  balancing: Balancing;
  /** Whether this target takes no more for the present. */
  onFull(kind: string, path: string, full: boolean): void;
}

/** By full path. */
export type Publishers = ReadonlyMap<string, readonly Destination[]>;

interface Destination {
  protocol: 'tcp' | 'udp';
  pool: string;
}

export function createHsl({ balancing, onFull }: HslOptions): Hsl {
  let publishers: Publishers = new Map();
  const senders = new Map<string, HslSender>();
  const senderOf = ({ protocol, pool }: Destination, kind: string, path: string): HslSender => {
    const key = `${kind} ${path} ${protocol} ${pool}`;
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
    configure(now) {
      publishers = now;
    },
    close() {
      for (const sender of senders.values()) sender.close();
      senders.clear();
    },
  };
}

/** Every publisher, with the pools that it leads to. */
export function publishersOf(config: BoxConfig): Publishers {
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
