/**
 * Who this service is to a store, and whom it believes to be one: PEM texts, looked at once. TLS 1.2 at least, and no way
 * to leave the verification out. What it holds is never in a message.
 */
import { X509Certificate } from 'node:crypto';
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import { storeFailure } from '../failures.ts';

export interface TlsIdentity {
  readonly context: SecureContext;
}

export interface TlsTexts {
  /** The authority of the store's certificate; the system's are not believed. */
  ca: string;
  /** With what stands between it and its authority. */
  cert: string;
  key: string;
}

/** Throws EDW_ERR_STORE_CERTIFICATE. */
export function tlsIdentity(texts: TlsTexts): TlsIdentity {
  checkCertificates(texts.ca, 'the authority');
  checkCertificates(texts.cert, 'the own certificate');
  return { context: contextOf({ ca: texts.ca, cert: texts.cert, key: texts.key }) };
}

/** Nobody in particular: for mirrors, where nothing is believed anyway. Public authorities, and the one given. */
export function anonymousIdentity(ca: string | null): TlsIdentity {
  if (ca !== null) checkCertificates(ca, 'the authority');
  return { context: contextOf({ ca: [...getCACertificates('default'), ...(ca === null ? [] : [ca])] }) };
}

function contextOf(material: { ca: string | string[]; cert?: string; key?: string }): SecureContext {
  try {
    return createSecureContext({ ...material, minVersion: 'TLSv1.2' });
  } catch {
    // OpenSSL's own text may quote what it could not read.
    throw storeFailure('EDW_ERR_STORE_CERTIFICATE', 'reading certificate and key: they do not fit, or are no PEM');
  }
}

/** Node leaves out silently what it can't read, and would then believe nobody, for a reason that nobody sees. */
function checkCertificates(pem: string, what: string): void {
  const found = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  try {
    if (found.length === 0) throw new Error('none');
    for (const certificate of found) new X509Certificate(certificate);
  } catch {
    throw storeFailure('EDW_ERR_STORE_CERTIFICATE', `reading ${what}: it holds no readable PEM certificate`);
  }
}
