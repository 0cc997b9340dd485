import { EdgewardError, messageOf } from '@edgeward/runtime';
import { certificateError, isDistrust, type PushTlsFiles } from './push-connection.ts';

/** How the calls of a push reach NGINX: as requests (`push-requests`) or as frames (`push-frames`), one at a time. */
export interface PushTransport {
  /** Rejects with EDW_ERR_POINT_UNREACHABLE, or EDW_ERR_POINT_CERTIFICATE where one end does not believe the other. */
  call(call: PushCall): Promise<PushAnswer>;
  close(): void;
}

export interface PushCall {
  method: 'GET' | 'POST';
  path: string;
  token: string;
  /** The zone that a change is meant for, and who makes it. */
  bootId: string;
  writer: string;
  body: string;
}

export interface PushAnswer {
  status: number;
  text: string;
}

export interface TransportOptions {
  point: string;
  /** `http://127.0.0.1:9180`, `https://nginx:9180`; `tcp://127.0.0.1:9181`, `tls://nginx:9181` for the stream module. */
  url: string;
  /** null: `url` is on loopback, and plain. */
  tls: PushTlsFiles | null;
  timeoutMs: number;
}

/** What a person reads of either end. */
export interface PushWords {
  /** Key of the point in edgeward.yaml. */
  key: string;
  /** File that the user includes. */
  conf: string;
  zone: string;
}

export function isFramed(url: string): boolean {
  return /^(tcp|tls):/.test(url);
}

/** By mutual TLS. */
export function isSecure(url: string): boolean {
  return /^(https|tls):/.test(url);
}

export function wordsOf(url: string): PushWords {
  return isFramed(url)
    ? { key: 'streamPush', conf: 'stream.conf', zone: 'edgeward_stream' }
    : { key: 'push', conf: 'http.conf', zone: 'edgeward' };
}

export function callFailed(cause: unknown, { url, point }: TransportOptions): EdgewardError {
  const message = `calling NGINX at ${url} for ${point}: ${messageOf(cause)}`;
  if (isDistrust(cause)) return certificateError(message, cause);
  const { key, conf } = wordsOf(url);
  return new EdgewardError('EDW_ERR_POINT_UNREACHABLE', message, {
    mend: `Start NGINX, or correct \`${key}\` of this point in edgeward.yaml; ${conf} names the address it listens on.`,
    cause,
  });
}

export function notEdgeward(message: string, options: TransportOptions, cause?: unknown): EdgewardError {
  const { conf, key } = wordsOf(options.url);
  return new EdgewardError(
    'EDW_ERR_POINT_REFUSED',
    `${options.url} does not speak for Edgeward's NGINX module: ${message}`,
    {
      mend: `Include ${conf} in nginx.conf and reload, or correct \`${key}\` of this point in edgeward.yaml.`,
      cause,
    },
  );
}
