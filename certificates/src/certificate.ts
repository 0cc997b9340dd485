import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { EdgewardError } from '@edgeward/runtime';
import { type Authority, CLOCKS_APART_MS, DAY_MS, pem } from './authority.ts';
import { nameIn } from './identity.ts';

/**
 * Certificates for one end of a connection: who a client is, under which names a server is reached. The names come from
 * whoever asks here, never from a request that somebody sent: there is no such request.
 */
export interface CertificateRequest {
  /** `urn:edgeward:point:NAME`, several allowed; `urn:edgeward:person:NAME`, one at most. */
  uris: readonly string[];
  /** Names and addresses that a server is reached under. */
  hosts?: readonly string[];
  /** From now. */
  days: number;
  /** It serves. With `uris` it is a client as well. */
  server?: boolean;
  nowMs?: number;
}

export interface IssuedCertificate {
  /** PEM. */
  certificate: string;
  /** PEM, PKCS #8, EC P-256. */
  key: string;
}

/** Throws EDW_ERR_CERTIFICATE_REQUEST for what no end of a connection needs. */
export async function issueCertificate(authority: Authority, request: CertificateRequest): Promise<IssuedCertificate> {
  const { uris, hosts = [], days, server = false, nowMs = Date.now() } = request;
  const notAfterMs = nowMs + days * DAY_MS;
  const problem = problemOf(uris, hosts, server) ?? problemOfTime(authority, days, notAfterMs);
  if (problem !== null) throw requestError(problem);
  const { generate } = await import('selfsigned');
  const made = await generate([{ name: 'commonName', value: nameIn(uris[0] ?? '')?.name ?? 'edgeward' }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    ca: { key: authority.key, cert: authority.certificate },
    notBeforeDate: new Date(nowMs - CLOCKS_APART_MS),
    notAfterDate: new Date(notAfterMs),
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: server, clientAuth: !server || uris.length > 0 },
      {
        name: 'subjectAltName',
        altNames: [
          ...uris.map((value) => ({ type: 6 as const, value })),
          ...hosts.map((host) =>
            isIP(host) === 0 ? { type: 2 as const, value: host } : { type: 7 as const, ip: host },
          ),
        ],
      },
    ],
  });
  return { certificate: pem(made.cert), key: pem(made.private) };
}

function problemOf(uris: readonly string[], hosts: readonly string[], server: boolean): string | null {
  const names = uris.map(nameIn);
  const bad = uris.find((_, at) => names[at] === null) ?? hosts.find((host) => isIP(host) === 0 && !isHost(host));
  if (bad !== undefined) return `${JSON.stringify(bad)} is no name that a certificate of Edgeward carries`;
  if (names.filter((name) => name?.kind === 'person').length > 1) return 'it names two people';
  if (server && hosts.length === 0) return 'a server is reached under a name, and none is given';
  if (!server && uris.length === 0) return 'a client is a point or a person, and none is given';
  return null;
}

function problemOfTime(authority: Authority, days: number, notAfterMs: number): string | null {
  if (!Number.isInteger(days) || days < 1 || days > MAX_DAYS)
    return `${days} is no number of days from 1 to ${MAX_DAYS}`;
  const endsAt = new X509Certificate(authority.certificate).validToDate;
  return notAfterMs > endsAt.getTime() ? `the authority itself ends at ${endsAt.toISOString()}` : null;
}

const MAX_DAYS = 3650;

/** A DNS name; one star may stand for its first label. */
function isHost(text: string): boolean {
  return text.length <= 253 && HOST.test(text);
}

const HOST =
  /^(?:\*\.)?[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/;

function requestError(problem: string): EdgewardError {
  return new EdgewardError('EDW_ERR_CERTIFICATE_REQUEST', `issuing a certificate: ${problem}`, {
    mend: 'Name points as urn:edgeward:point:NAME, one person as urn:edgeward:person:NAME, servers by host; a time within that of the authority.',
  });
}
