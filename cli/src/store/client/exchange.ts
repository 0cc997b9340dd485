/**
 * One request to a store over mutual TLS: bounded in time and bytes, no redirect followed, nothing compressed, no proxy of
 * the environment asked. The authority of the profile is believed and no other, whatever the environment says.
 */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { createSecureContext } from 'node:tls';
import { isCertificateFault, type StoreFailureCode, storeFailure } from '@edgeward/policy-feed';
import { EdgewardError, messageOf, readSecret, systemCodeOf } from '@edgeward/runtime';
import { readBounded } from '../../frame/bounded-body.ts';
import type { Profile } from '../profile.ts';

export interface Asking {
  method?: 'GET' | 'POST';
  path: string;
  /** JSON. */
  body?: unknown;
  maxBytes: number;
}

export interface Answer {
  status: number;
  bytes: Buffer;
}

export interface Exchange {
  /** `https://store:9443` */
  readonly url: string;
  /** Of this person, PEM. */
  readonly certificate: string;
  ask(asking: Asking): Promise<Answer>;
}

/** Throws EDW_ERR_STORE_CERTIFICATE, EDW_ERR_SECRET_FILE. */
export async function openExchange(
  { url, certFile, keyFile, caFile }: Pick<Profile, 'url' | 'certFile' | 'keyFile' | 'caFile'>,
  timeoutMs: number,
): Promise<Exchange> {
  const [cert, ca] = await Promise.all([readPem(certFile), readPem(caFile)]);
  const tls = { cert, ca, key: await readSecret(keyFile) };
  try {
    createSecureContext(tls);
  } catch {
    // OpenSSL's own words may quote what it could not read.
    throw storeFailure('EDW_ERR_STORE_CERTIFICATE', `reading ${certFile} and ${keyFile}: they do not fit together`);
  }
  const options = { ...tls, minVersion: 'TLSv1.2' as const, rejectUnauthorized: true };
  return { url, certificate: cert, ask: (asking) => exchange(url, options, timeoutMs, asking) };
}

async function readPem(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw storeFailure('EDW_ERR_STORE_CERTIFICATE', `reading ${path}: ${messageOf(cause)}`, cause);
  });
  // An authority file without any certificate would be taken for an empty list.
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  throw storeFailure('EDW_ERR_STORE_CERTIFICATE', `reading ${path}: it holds no PEM certificate`);
}

type TlsOptions = { cert: string; ca: string; key: string; minVersion: 'TLSv1.2'; rejectUnauthorized: boolean };

async function exchange(url: string, tls: TlsOptions, timeoutMs: number, asking: Asking): Promise<Answer> {
  const late = AbortSignal.timeout(timeoutMs);
  const doing = `asking ${url} for ${asking.path}`;
  try {
    return await send(url, tls, late, asking);
  } catch (thrown) {
    if (thrown instanceof EdgewardError) throw thrown;
    if (late.aborted)
      throw new EdgewardError('EDW_ERR_TIMEOUT', `${doing}: no whole answer within ${timeoutMs} ms`, {
        mend: 'Wait longer with --timeout 2m, or look whether the store is busy. What the points hold stays in force.',
        cause: thrown,
      });
    throw storeFailure(codeOf(thrown), `${doing}: ${messageOf(thrown) || String(systemCodeOf(thrown))}`, thrown);
  }
}

async function send(url: string, tls: TlsOptions, signal: AbortSignal, asking: Asking): Promise<Answer> {
  const content = asking.body === undefined ? null : Buffer.from(JSON.stringify(asking.body));
  const headers = {
    accept: 'application/json, application/x-ndjson',
    ...(content === null
      ? {}
      : { 'content-type': 'application/json; charset=utf-8', 'content-length': content.length }),
  };
  const agent = new Agent({ ...tls, keepAlive: false });
  const sent = request(new URL(asking.path, url), { method: asking.method ?? 'GET', headers, agent, signal });
  // What breaks after the answer has begun breaks the reading of it too, and is told there.
  sent.on('error', () => {});
  sent.end(content ?? undefined);
  const [response] = (await once(sent, 'response', { signal })) as [IncomingMessage];
  return { status: response.statusCode ?? 0, bytes: await bytesOf(response, asking.maxBytes) };
}

async function bytesOf(response: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const bytes = await readBounded(response, maxBytes);
  if (bytes !== null) return bytes;
  throw storeFailure('EDW_ERR_STORE_ANSWER', `reading an answer of the store: it has more than ${maxBytes} bytes`);
}

function codeOf(thrown: unknown): StoreFailureCode {
  const code = systemCodeOf(thrown) ?? '';
  if (isCertificateFault(code)) return 'EDW_ERR_STORE_CERTIFICATE';
  return code.startsWith('HPE_') || code === 'ERR_SSL_WRONG_VERSION_NUMBER'
    ? 'EDW_ERR_STORE_ANSWER'
    : 'EDW_ERR_STORE_UNREACHABLE';
}
