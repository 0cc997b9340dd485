/**
 * One POST over mutual TLS and its answer. A connection is kept for the next one, and certificates are read again when their
 * files changed. Throws EDW_ERR_BATCH_UNREACHABLE where no whole answer comes, EDW_ERR_BATCH_TLS and EDW_ERR_SECRET_FILE where
 * there is nothing to show.
 */
import { readFile, stat } from 'node:fs/promises';
import { Agent } from 'node:https';
import { createSecureContext } from 'node:tls';
import {
  EdgewardError,
  type ExchangeFailures,
  type HttpsAnswer,
  type HttpsAsked,
  httpsExchange,
  messageOf,
  readSecret,
} from '@edgeward/runtime';

export interface BatchTlsFiles {
  /** PEM: the authority of the collector's certificate. */
  caFile: string;
  /** PEM: the certificate that says who sends. */
  certFile: string;
  keyFile: string;
}

export interface BatchPost {
  post(body: Uint8Array, headers: Record<string, string>): Promise<HttpsAnswer>;
  close(): void;
}

export interface BatchPostOptions {
  url: string;
  tls: BatchTlsFiles;
  /** For all of it, also where the other end is silent: 30 s. */
  timeoutMs?: number | undefined;
}

const MAX_ANSWER_BYTES = 64 * 1024;

export function createBatchPost({ url, tls, timeoutMs = 30_000 }: BatchPostOptions): BatchPost {
  const ending = new AbortController();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let kept: { material: HttpsAsked['tls']; signature: string } | null = null;

  async function materialNow(): Promise<HttpsAsked['tls']> {
    const signature = await signatureOf(tls);
    if (kept?.signature !== signature) kept = { material: await materialOf(tls), signature };
    return kept.material;
  }

  return {
    async post(body, headers) {
      const bounds = { timeoutMs, maxBytes: MAX_ANSWER_BYTES, minVersion: 'TLSv1.3' as const };
      const asked = { url, method: 'POST' as const, headers, body, agent, signal: ending.signal, ...bounds };
      return await httpsExchange({ ...asked, tls: await materialNow() }, failures);
    },
    close() {
      ending.abort();
      agent.destroy();
    },
  };
}

/** Changes when one of the files does. */
async function signatureOf({ caFile, certFile, keyFile }: BatchTlsFiles): Promise<string> {
  const seen = await Promise.all([caFile, certFile, keyFile].map((file) => stat(file).catch(() => null)));
  return seen.map((it) => (it === null ? '-' : `${it.ino}.${it.size}.${it.mtimeMs}`)).join(' ');
}

async function materialOf({ caFile, certFile, keyFile }: BatchTlsFiles): Promise<HttpsAsked['tls']> {
  const key = await readSecret(keyFile);
  try {
    const [ca, cert] = await Promise.all([readFile(caFile, 'utf8'), readFile(certFile, 'utf8')]);
    createSecureContext({ ca, cert, key });
    return { ca, cert, key };
  } catch (cause) {
    const files = `${caFile}, ${certFile}, ${keyFile}`;
    throw new EdgewardError('EDW_ERR_BATCH_TLS', `using ${files}: ${messageOf(cause)}`, {
      mend: 'Check these files: PEM, the key being that of the certificate. Records wait meanwhile.',
      cause,
    });
  }
}

const failures: ExchangeFailures = {
  unreachable: (url, why, cause) =>
    new EdgewardError('EDW_ERR_BATCH_UNREACHABLE', `sending denials to ${url}: ${why}`, {
      mend: 'Records wait in the spool. Start the collector, or look at what stands between it and this machine.',
      cause,
    }),
  badAnswer: unbelievable,
};

export function unbelievable(url: string, why: string): EdgewardError {
  return new EdgewardError('EDW_ERR_BATCH_ANSWER', `reading the answer of ${url}: ${why}`, {
    mend: 'Check that what answers there is a collector of the same version. Records wait meanwhile.',
  });
}
