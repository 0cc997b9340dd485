/** What a server listens on. An address is kept as it is written; `*` is every one. */
import type { Directive, Place } from './configuration.ts';

export interface Listener extends Place {
  /** As written: `443`, `[::]:443`, `unix:/run/x.sock`. */
  text: string;
  /** `*`, an address, a name; of a unix socket its path. */
  host: string;
  /** null: a unix socket, or several ports. */
  port: number | null;
  /** Only this machine reaches it. */
  isLocal: boolean;
  proxyProtocol: boolean;
  /** HTTP/3: UDP. */
  quic: boolean;
  /** Of `stream`: datagrams. */
  udp: boolean;
  ssl: boolean;
  isDefault: boolean;
}

/** Of a server that names none, what NGINX takes then. */
export function listenersOf(server: Directive): Listener[] {
  const written = (server.block ?? []).filter(({ name }) => name === 'listen').map(listenerOf);
  return written.length > 0 ? written : [listenerOf({ ...server, args: ['80'] })];
}

function listenerOf({ args, file, line }: Pick<Directive, 'args' | 'file' | 'line'>): Listener {
  const [text = '', ...options] = args;
  const has = (option: string): boolean => options.includes(option);
  return {
    ...{ file, line, text },
    ...addressOf(text),
    proxyProtocol: has('proxy_protocol'),
    quic: has('quic'),
    udp: has('udp'),
    ssl: has('ssl'),
    isDefault: has('default_server') || has('default'),
  };
}

function addressOf(text: string): Pick<Listener, 'host' | 'port' | 'isLocal'> {
  if (text.startsWith('unix:')) return { host: text, port: null, isLocal: true };
  if (/^\d+(-\d+)?$/.test(text)) return { host: '*', port: portOf(text), isLocal: false };
  const parts = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(text);
  const host = parts?.[1] ?? text;
  const port = parts?.[2] === undefined ? 80 : portOf(parts[2]);
  return { host, port, isLocal: host === '[::1]' || host === 'localhost' || /^127\.\d+\.\d+\.\d+$/.test(host) };
}

function portOf(text: string): number | null {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : null;
}
