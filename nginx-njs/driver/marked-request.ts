import { readFile } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { isIP } from 'node:net';
import { messageOf } from '@edgeward/runtime';

/**
 * The request that a proof sends to a listener: `GET` without a body, on a connection of its own, with the name of the
 * question in one header and nothing synthetic in it. Where no hook takes it, it is a plain request for a path that
 * nobody has. Bounded in time and in bytes; follows no redirect.
 */
export interface ProofAddress {
  /** Where the listener of the object is; its path is what is asked for, and `/.edgeward-proof` without one. */
  url: string;
  /** Host header, and the name that TLS asks for; without it that of `url`. */
  host?: string | undefined;
  /**
   * PEM authority of the listener's certificate. Without it no certificate is checked: who answers is told by the push
   * channel, and all that is sent is a name that is good for one refusal.
   */
  caFile?: string | undefined;
}

export interface Bounds {
  timeoutMs: number;
  /** Cuts it off. */
  signal?: AbortSignal | undefined;
}

export type MarkedAnswer = { state: 'answered'; status: number; body: string } | { state: 'silent'; cause: string };

const BODY_LIMIT_BYTES = 4096;

export async function sendMarked(at: ProofAddress, id: string, bounds: Bounds): Promise<MarkedAnswer> {
  try {
    const ca = at.caFile === undefined ? null : await readFile(at.caFile, 'utf8');
    return await send(at, ca, id, bounds);
  } catch (cause) {
    return { state: 'silent', cause: messageOf(cause) };
  }
}

function send(
  at: ProofAddress,
  ca: string | null,
  id: string,
  { timeoutMs, signal: ending }: Bounds,
): Promise<MarkedAnswer> {
  const url = new URL(at.url);
  if (url.pathname === '/') url.pathname = '/.edgeward-proof';
  const host = at.host ?? url.host;
  const name = host.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
  const servername = isIP(name) === 0 ? { servername: name } : { servername: '' };
  const trust = ca === null ? { rejectUnauthorized: false } : { ca };
  const headers = { host, 'edgeward-proof': id, 'user-agent': 'edgeward-proof', connection: 'close' };
  const late = AbortSignal.timeout(timeoutMs);
  const signal = ending === undefined ? late : AbortSignal.any([late, ending]);
  return new Promise((resolve, reject) => {
    const options = { agent: false, headers, signal } as const;
    const outgoing =
      url.protocol === 'https:' ? tlsRequest(url, { ...options, ...servername, ...trust }) : request(url, options);
    outgoing.on('error', (cause) => reject(late.aborted ? new Error(`no answer within ${timeoutMs} ms`) : cause));
    outgoing.on('response', (response) => readHead(response).then(resolve, reject));
    outgoing.end();
  });
}

async function readHead(response: IncomingMessage): Promise<MarkedAnswer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of response) {
    pieces.push(piece as Buffer);
    bytes += (piece as Buffer).length;
    if (bytes >= BODY_LIMIT_BYTES) break;
  }
  response.destroy();
  return { state: 'answered', status: response.statusCode ?? 0, body: Buffer.concat(pieces).toString('latin1') };
}
