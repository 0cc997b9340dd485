/** The way to a Loki as it is configured. Files are read here, each time: a secret or certificate that was renewed is used. */
import { readFile } from 'node:fs/promises';
import { messageOf, readSecret } from '@edgeward/runtime';
import { type HttpPush, httpPush } from '../http-push.ts';
import { sinkFailure } from '../sink.ts';
import type { LokiConfig } from '../sinks-schema.ts';

const ANSWER_MS = 15_000;

/** Rejects with EDW_ERR_SINK_PUSH, EDW_ERR_SECRET_FILE. */
export async function connectLoki(config: LokiConfig, timeoutMs: number = ANSWER_MS): Promise<HttpPush> {
  const { url, tenant, caFile, certFile, keyFile } = config;
  const headers = {
    'content-type': 'application/json',
    'content-encoding': 'gzip',
    ...(tenant === null ? {} : { 'x-scope-orgid': tenant }),
    ...(await authorization(config)),
  };
  const tls = {
    ...(caFile === null ? {} : { ca: await pem(caFile) }),
    ...(certFile === null || keyFile === null ? {} : { cert: await pem(certFile), key: await readSecret(keyFile) }),
  };
  return httpPush({ url: new URL(url), headers, tls, timeoutMs });
}

async function authorization({ user, passwordFile, tokenFile }: LokiConfig): Promise<{ authorization?: string }> {
  if (tokenFile !== null) return { authorization: `Bearer ${await readSecret(tokenFile)}` };
  if (user === null || passwordFile === null) return {};
  const pair = Buffer.from(`${user}:${await readSecret(passwordFile)}`).toString('base64');
  return { authorization: `Basic ${pair}` };
}

async function pem(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw sinkFailure('local', `reading ${path}: ${messageOf(cause)}`, { cause });
  }
}
