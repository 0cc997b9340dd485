/**
 * Addresses of NATS nodes as people write them: `tls://HOST:PORT`, and `nats://` for a literal loopback address alone. A
 * URL that is not taken is never repeated in a message: it may hold a password.
 */
import { isIP } from 'node:net';
import { EdgewardError } from '@edgeward/runtime';
import { addressRefusal, isLoopbackLiteral } from '../https/address-check.ts';

export interface NodeUrls {
  /** `host:port`, as the client wants them. */
  servers: string[];
  tls: boolean;
  /** For logs: the first one. */
  name: string;
}

const DEFAULT_PORT = 4222;

/** Throws EDW_ERR_NATS_URL. */
export function nodeUrlsOf(texts: readonly string[]): NodeUrls {
  const urls = texts.map(nodeUrlOf);
  const [first] = urls;
  if (first === undefined) throw refusal('there is none');
  if (urls.some((it) => it.tls !== first.tls)) throw refusal('some are with TLS and some without');
  return {
    servers: urls.map((it) => it.server),
    tls: first.tls,
    name: `${first.tls ? 'tls' : 'nats'}://${first.server}`,
  };
}

function nodeUrlOf(text: string): { server: string; tls: boolean } {
  const url = URL.parse(text);
  if (url === null) throw refusal('one is no URL');
  if (/[@?#\\\s]/.test(text) || !/^\/?$/.test(url.pathname))
    throw refusal('one has more than a host and a port; credentials have a file of their own');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  // Schemes that URL knows nothing about keep a host as it was written.
  if (!/^[A-Za-z0-9.:_-]+$/.test(host)) throw refusal('one has no readable host');
  const loopback = isLoopbackLiteral(host);
  if (url.protocol !== 'tls:' && !(url.protocol === 'nats:' && loopback))
    throw refusal('one is neither tls:// nor nats:// with a literal loopback address');
  const refused = isIP(host) === 0 ? null : addressRefusal(host, { loopback });
  if (refused !== null) throw refusal(`an address ${refused}`);
  const port = url.port === '' ? DEFAULT_PORT : Number(url.port);
  return { server: isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`, tls: url.protocol === 'tls:' };
}

function refusal(why: string): Error {
  return new EdgewardError('EDW_ERR_NATS_URL', `reading the addresses of NATS nodes: ${why}`, {
    mend: 'Write tls://HOST:PORT for each node, as in tls://nats-1.example:4222. Without TLS a literal loopback address only: nats://127.0.0.1:4222.',
  });
}
