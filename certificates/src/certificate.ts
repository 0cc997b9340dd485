import { createPrivateKey, randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { EdgewardError } from '@edgeward/runtime';
import type { JsonGeneralName } from '@peculiar/x509';
import { type Authority, CLOCKS_APART_MS, DAY_MS, pem } from './authority.ts';
import { nameIn } from './identity.ts';
import { isIssueNumber, serialNumberOf } from './issue-number.ts';
import { publicKeyOf } from './public-key.ts';

/**
 * Certificates for one end of a connection: who a client is, under which names a server is reached. The names come from
 * whoever asks here, never from a request that somebody sent: of such a request no more than the public key is taken.
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
  /** Of certificates for the same holder, the later one has the larger number; `issueNumberOf` reads it. */
  issueNumber?: number;
  nowMs?: number;
}

export interface IssuedCertificate {
  /** PEM. */
  certificate: string;
  /** PEM, PKCS #8, EC P-256. */
  key: string;
}

const P256 = { name: 'ECDSA', namedCurve: 'P-256' };

/** With a key pair of its own. Throws EDW_ERR_CERTIFICATE_REQUEST for what no end of a connection needs. */
export async function issueCertificate(authority: Authority, request: CertificateRequest): Promise<IssuedCertificate> {
  refuseBad(authority, request);
  const { publicKey, privateKey } = await webcrypto.subtle.generateKey(P256, true, ['sign', 'verify']);
  const certificate = await signed(authority, publicKey, request);
  const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', privateKey));
  return { certificate, key: pemOf('PRIVATE KEY', key) };
}

/**
 * For the holder of a key that stays where it is: PEM of the certificate. That whoever asks has the private key is to be
 * proved before. Throws EDW_ERR_CERTIFICATE_REQUEST, EDW_ERR_CERTIFICATE_KEY.
 */
export async function issueCertificateFor(
  authority: Authority,
  publicKey: string,
  request: CertificateRequest,
): Promise<string> {
  refuseBad(authority, request);
  const spki = publicKeyOf(publicKey).export({ type: 'spki', format: 'der' });
  return await signed(authority, await webcrypto.subtle.importKey('spki', spki, P256, true, ['verify']), request);
}

async function signed(
  authority: Authority,
  publicKey: webcrypto.CryptoKey,
  request: CertificateRequest,
): Promise<string> {
  const { uris, hosts = [], days, server = false, issueNumber = null, nowMs = Date.now() } = request;
  // Loaded when it is needed: it takes longer than all the rest of a command's start.
  const x509 = await import('@peculiar/x509');
  const { serverAuth, clientAuth } = x509.ExtendedKeyUsage;
  const client = !server || uris.length > 0;
  const names: JsonGeneralName[] = [
    ...uris.map((value) => ({ type: 'url' as const, value })),
    ...hosts.map((value) => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value })),
  ];
  const made = await x509.X509CertificateGenerator.create(
    {
      serialNumber: serialNumberOf(issueNumber, randomBytes(9)),
      subject: subjectOf(uris),
      issuer: new x509.X509Certificate(authority.certificate).subject,
      notBefore: new Date(nowMs - CLOCKS_APART_MS),
      notAfter: new Date(nowMs + days * DAY_MS),
      signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
      publicKey,
      signingKey: await signingKeyOf(authority),
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([...(server ? [serverAuth] : []), ...(client ? [clientAuth] : [])]),
        new x509.SubjectAlternativeNameExtension(names),
      ],
    },
    webcrypto,
  );
  return pem(made.toString('pem'));
}

/**
 * Nothing of ours reads it: it is for servers that can compare subjects alone, as NGINX does, and so a person never has that
 * of a point of the same name.
 */
function subjectOf(uris: readonly string[]): string {
  const names = uris.map(nameIn);
  const person = names.find((name) => name?.kind === 'person');
  return person ? `OU=person, CN=${person.name}` : `CN=${names[0]?.name ?? 'edgeward'}`;
}

async function signingKeyOf({ key }: Authority): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(key).export({ type: 'pkcs8', format: 'der' });
  return await webcrypto.subtle.importKey('pkcs8', der, P256, false, ['sign']);
}

/** Throws EDW_ERR_CERTIFICATE_REQUEST. */
function refuseBad(authority: Authority, request: CertificateRequest): void {
  const { uris, hosts = [], days, server = false, issueNumber, nowMs = Date.now() } = request;
  const problem =
    problemOf(uris, hosts, server) ??
    problemOfNumber(issueNumber) ??
    problemOfTime(authority, days, nowMs + days * DAY_MS);
  if (problem !== null) throw requestError(problem);
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

function problemOfNumber(issueNumber: number | undefined): string | null {
  if (issueNumber === undefined || isIssueNumber(issueNumber)) return null;
  return `${issueNumber} is no issue number`;
}

const MAX_DAYS = 3650;

/** A DNS name; one star may stand for its first label. */
function isHost(text: string): boolean {
  return text.length <= 253 && HOST.test(text);
}

const HOST =
  /^(?:\*\.)?[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/;

function pemOf(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

function requestError(problem: string): EdgewardError {
  return new EdgewardError('EDW_ERR_CERTIFICATE_REQUEST', `issuing a certificate: ${problem}`, {
    mend: 'Name points as urn:edgeward:point:NAME, one person as urn:edgeward:person:NAME, servers by host; a time within that of the authority.',
  });
}
