/**
 * HTTPS to one BIG-IP: kept connections, bounded time, bounded answers. The certificate is always verified, and there is
 * no option to leave that out. Follows no redirect, keeps no cookie, repeats nothing, logs nothing.
 */
import { X509Certificate } from 'node:crypto';
import { messageOf, systemCodeOf } from '@edgeward/runtime';
import { Pool } from 'undici';
import type { Failed, Method } from './call.ts';
import { cleanText, failed, failure } from './failures.ts';

export interface Wire {
  method: Method;
  /** From `/mgmt/` on, with its query. */
  target: string;
  headers: Record<string, string>;
  body: string | Uint8Array | null;
  /** For messages. */
  doing: string;
}

export interface Answered {
  state: 'answered';
  status: number;
  text: string;
}

export interface Transport {
  readonly origin: string;
  send(wire: Wire, limitMs: number): Promise<Answered | Failed>;
  close(): Promise<void>;
}

export interface TransportOptions {
  url: string;
  /** PEM; without it the system's authorities are believed. */
  ca?: string;
  maxAnswerBytes: number;
  connectTimeoutMs: number;
}

/** One for the write in flight, the others for reads beside it. */
const CONNECTIONS = 4;

/** Throws EDW_ERR_BIGIP_URL and EDW_ERR_BIGIP_CERTIFICATE. */
export function createTransport(options: TransportOptions): Transport {
  const origin = originOf(options.url);
  if (options.ca !== undefined) checkAuthorities(options.ca);
  const pool = new Pool(origin, {
    connections: CONNECTIONS,
    pipelining: 1,
    allowH2: false,
    headersTimeout: 0, // The signal of each call bounds the whole of it.
    bodyTimeout: 0,
    maxResponseSize: options.maxAnswerBytes,
    // Said aloud because NODE_TLS_REJECT_UNAUTHORIZED=0 would turn off the default.
    connect: { rejectUnauthorized: true, timeout: options.connectTimeoutMs, ...(options.ca && { ca: options.ca }) },
  });
  return {
    origin,
    send: (wire, limitMs) => send(pool, wire, Math.max(1, Math.ceil(limitMs))),
    close: () => pool.destroy(),
  };
}

async function send(pool: Pool, wire: Wire, limitMs: number): Promise<Answered | Failed> {
  const { method, target, headers, body } = wire;
  const signal = AbortSignal.timeout(limitMs);
  try {
    const answer = await pool.request({ method, path: target, headers, body, signal });
    return { state: 'answered', status: answer.statusCode, text: await answer.body.text() };
  } catch (thrown) {
    if (!signal.aborted) return lost(wire.doing, thrown);
    return failed('unknown', failure('EDW_ERR_POINT_UNREACHABLE', `${wire.doing}: no answer within ${limitMs} ms`));
  }
}

/** Of Node and OpenSSL; all of them come before anything is sent. */
const CERTIFICATE =
  /^(ERR_TLS_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE)/;
const NOT_CONNECTED =
  /^(ECONNREFUSED|ENOTFOUND|EAI_|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|EACCES|EPERM|EPROTO|ERR_SSL_|UND_ERR_CONNECT_TIMEOUT)/;
const NO_HTTP = /^(HPE_|UND_ERR_HEADERS_OVERFLOW|UND_ERR_RES_)/;
const RESET = /^(ECONNRESET|EPIPE|UND_ERR_SOCKET)$/;

function lost(doing: string, thrown: unknown): Failed {
  const first = thrown instanceof AggregateError ? thrown.errors[0] : thrown;
  const code = systemCodeOf(first) ?? '';
  const message = `${doing}: ${cleanText(messageOf(first) || code)}`;
  if (CERTIFICATE.test(code)) return failed('nothing', failure('EDW_ERR_BIGIP_CERTIFICATE', message, thrown));
  if (NO_HTTP.test(code)) return failed('unknown', failure('EDW_ERR_BIGIP_ANSWER', message, thrown));
  const effect = NOT_CONNECTED.test(code) ? 'nothing' : RESET.test(code) ? 'reset' : 'unknown';
  return failed(effect, failure('EDW_ERR_POINT_UNREACHABLE', message, thrown));
}

function originOf(url: string): string {
  const parsed = URL.parse(url);
  const isBare = parsed !== null && parsed.pathname === '/' && !/[?#@]/.test(url);
  if (parsed?.protocol === 'https:' && isBare) return parsed.origin;
  // A URL may hold a password; it is not repeated.
  throw failure('EDW_ERR_BIGIP_URL', 'reading the address of a BIG-IP: it is not https:// and a host alone');
}

/** Node leaves out silently what it can't read, and would then believe nobody, for a reason that nobody sees. */
function checkAuthorities(pem: string): void {
  const certificates = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  try {
    if (certificates.length === 0) throw new Error('it holds no certificate');
    for (const certificate of certificates) new X509Certificate(certificate);
  } catch (thrown) {
    throw failure('EDW_ERR_BIGIP_CERTIFICATE', `reading the authority of a BIG-IP: ${messageOf(thrown)}`, thrown);
  }
}
