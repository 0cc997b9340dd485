/**
 * Where a store keeps its certificate authority and the certificates that it serves with: `authority/` and `tls/` in its
 * folder. What is issued for others is written once, to where the caller says, and kept nowhere else.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Authority, createAuthority, issueCertificate, openAuthority } from '@edgeward/certificates';
import { EdgewardError, messageOf, systemCodeOf, writeDurably } from '@edgeward/runtime';

export interface CertificateFiles {
  certFile: string;
  keyFile: string;
  caFile: string;
}

export interface Wanted {
  uris: readonly string[];
  hosts?: readonly string[];
  days: number;
  server?: boolean;
  nowMs: number;
}

function authorityFolder(dir: string): string {
  return join(dir, 'authority');
}

export function serverFolder(dir: string): string {
  return join(dir, 'tls');
}

/** Throws EDW_ERR_AUTHORITY, EDW_ERR_STATE_WRITE. */
export function makeAuthority(dir: string, nowMs: number): Promise<Authority> {
  return createAuthority(authorityFolder(dir), nowMs);
}

/** Throws EDW_ERR_AUTHORITY, EDW_ERR_SECRET_FILE. */
export function storeAuthority(dir: string): Promise<Authority> {
  return openAuthority(authorityFolder(dir));
}

export function filesIn(folder: string, name: string): CertificateFiles {
  const place = (ending: string): string => join(folder, ending);
  return { certFile: place(`${name}.pem`), keyFile: place(`${name}-key.pem`), caFile: place('store-ca.pem') };
}

/**
 * Certificate, key and authority in a folder; those of that name are replaced, as a renewal does. Throws
 * EDW_ERR_CERTIFICATE_REQUEST, EDW_ERR_OUT_FOLDER.
 */
export async function writeCertificate(
  authority: Authority,
  wanted: Wanted,
  folder: string,
  name: string,
): Promise<CertificateFiles> {
  const issued = await issueCertificate(authority, wanted);
  const files = filesIn(folder, name);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeDurably(files.caFile, authority.certificate, { mode: 0o644 });
    // The key first: a certificate without its key is of no use, a key without its certificate of no harm.
    await writeDurably(files.keyFile, issued.key);
    await writeDurably(files.certFile, issued.certificate, { mode: 0o644 });
  } catch (cause) {
    throw new EdgewardError('EDW_ERR_OUT_FOLDER', `writing certificates to ${folder}: ${messageOf(cause)}`, {
      mend: systemCodeOf(cause) === 'ENOTDIR' ? 'Name a folder.' : 'Name a folder that you may write in.',
      cause,
    });
  }
  return files;
}
