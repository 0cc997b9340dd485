import { readFile } from 'node:fs/promises';
import { Agent, type ClientRequest, type RequestOptions, request } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import { createSecureContext } from 'node:tls';
import { EdgewardError, messageOf, readSecret } from '@edgeward/runtime';

/**
 * The one connection that pushes go over: plain on loopback, mutual TLS to anywhere else. The files of a certificate are
 * read at every call, so that it can be renewed without a restart; what was opened with the old one is closed then. Never
 * falls back to plain, and never believes a server that its authority does not vouch for.
 */
export interface PushTlsFiles {
  /** PEM authority of the certificate that NGINX shows. */
  caFile: string;
  /** PEM certificate whose subject push-tls.conf names. */
  certFile: string;
  keyFile: string;
}

export interface PushConnection {
  /** Not sent yet. Throws EDW_ERR_POINT_CERTIFICATE, EDW_ERR_SECRET_FILE. */
  request(url: URL, options: RequestOptions): Promise<ClientRequest>;
  close(): void;
}

export function openPushConnection(point: string, tls: PushTlsFiles | null): PushConnection {
  return tls === null ? plain() : mutual(point, tls);
}

const KEPT = { keepAlive: true, maxSockets: 1 } as const;

function plain(): PushConnection {
  const agent = new Agent(KEPT);
  return {
    request: async (url, options) => request(url, { ...options, agent }),
    close: () => agent.destroy(),
  };
}

export interface PushMaterial {
  ca: string;
  cert: string;
  key: string;
}

function mutual(point: string, files: PushTlsFiles): PushConnection {
  let agent: TlsAgent | null = null;
  let known = '';
  return {
    async request(url, options) {
      const material = await readMaterial(point, files);
      const text = JSON.stringify(material);
      if (agent === null || text !== known) {
        agent?.destroy();
        agent = new TlsAgent({ ...KEPT, ...material, minVersion: 'TLSv1.2' });
        known = text;
      }
      return tlsRequest(url, { ...options, agent });
    },
    close: () => agent?.destroy(),
  };
}

export async function readMaterial(point: string, { caFile, certFile, keyFile }: PushTlsFiles): Promise<PushMaterial> {
  const [ca, cert] = [await readPem(point, caFile), await readPem(point, certFile)];
  const key = await readSecret(keyFile);
  try {
    createSecureContext({ ca, cert, key });
  } catch (cause) {
    throw certificateError(`using ${certFile} with ${keyFile} for ${point}: ${messageOf(cause)}`, cause);
  }
  return { ca, cert, key };
}

async function readPem(point: string, path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw certificateError(`reading ${path} for ${point}: ${messageOf(cause)}`, cause);
  });
  // OpenSSL takes an authority file without any certificate for an empty list and says nothing.
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  throw certificateError(`reading ${path} for ${point}: no PEM certificate is in it`);
}

/** What OpenSSL and Node say of a certificate that they do not believe. */
const DISTRUST =
  /^(CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(GET|VERIFY|DECODE)_|INVALID_(CA|PURPOSE)|ERR_TLS_CERT_|HOSTNAME_MISMATCH|ERR_SSL_.*(CERT|ALERT_UNKNOWN_CA))/;

/** Whether a call failed because one end does not believe the other. */
export function isDistrust(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' && DISTRUST.test(cause.code);
}

export const CERTIFICATE_MEND: string =
  'Let `caFile` of this point be the authority of the certificate that NGINX shows, `push` a name in that certificate, and `certFile` one that has not ended, of the authority in push-tls.conf, with a subject that is named there.';

export function certificateError(message: string, cause?: unknown): EdgewardError {
  return new EdgewardError('EDW_ERR_POINT_CERTIFICATE', message, {
    mend: CERTIFICATE_MEND,
    ...(cause === undefined ? {} : { cause }),
  });
}
