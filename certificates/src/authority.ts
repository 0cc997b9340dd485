import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  EdgewardError,
  makeFolder,
  messageOf,
  readSecret,
  syncFolder,
  systemCodeOf,
  writeDurably,
} from '@edgeward/runtime';

/**
 * A private certificate authority for the mutual TLS between a store, its points and its people: a key file, a certificate,
 * nothing else. It signs nothing but leaves, keeps no list of them and can not revoke one: a person is removed from the
 * trust root, and certificates are short-lived. What it says opens no flow: policy rests on other keys.
 */
export interface Authority {
  /** PEM; for whoever has to believe in certificates of this authority. */
  certificate: string;
  /** PEM; PKCS #8. Stays where it is. */
  key: string;
}

/** Beside what a store signs with. */
const AUTHORITY_FILES: { key: string; certificate: string } = {
  key: 'authority-key.pem',
  certificate: 'authority.pem',
};

/** Where the certificate of the authority in this folder stands: for whoever has to believe it, and may read no key. */
export function authorityFile(folder: string): string {
  return join(folder, AUTHORITY_FILES.certificate);
}

/** sha256 of a certificate in DER, lower-case hex: short enough for a person to carry. Throws for what is none. */
export function fingerprintOf(certificate: string): string {
  return new X509Certificate(certificate).fingerprint256.replaceAll(':', '').toLowerCase();
}

/** For ten years. Throws EDW_ERR_AUTHORITY where one is already, EDW_ERR_STATE_WRITE where nothing can be written. */
export async function createAuthority(folder: string, nowMs: number = Date.now()): Promise<Authority> {
  const authority = await newAuthority(nowMs);
  await makeFolder(folder);
  await writeOnce(join(folder, AUTHORITY_FILES.key), authority.key);
  await writeDurably(join(folder, AUTHORITY_FILES.certificate), authority.certificate, { mode: 0o644 });
  return authority;
}

/** The one in this folder. Throws EDW_ERR_AUTHORITY, and EDW_ERR_SECRET_FILE for a key that is missing or open to others. */
export async function openAuthority(folder: string): Promise<Authority> {
  const key = `${await readSecret(join(folder, AUTHORITY_FILES.key))}\n`;
  const path = join(folder, AUTHORITY_FILES.certificate);
  try {
    const certificate = await readFile(path, 'utf8');
    const parsed = new X509Certificate(certificate);
    if (!parsed.ca || !parsed.checkPrivateKey(createPrivateKey(key)))
      throw new Error('it is not the certificate of the key beside it');
    return { certificate, key };
  } catch (thrown) {
    throw authorityError(
      `reading ${path}: ${messageOf(thrown)}`,
      'Put back both files of the authority, or remove both and make another one; then every certificate is issued anew.',
      thrown,
    );
  }
}

/** In memory alone. */
async function newAuthority(nowMs: number): Promise<Authority> {
  // Loaded when it is needed: it takes longer than all the rest of a command's start.
  const { generate } = await import('selfsigned');
  // Each has a name of its own: who believes two of them then finds the right one.
  const name = `edgeward authority ${randomBytes(4).toString('hex')}`;
  const made = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notBeforeDate: new Date(nowMs - CLOCKS_APART_MS),
    notAfterDate: new Date(nowMs + YEARS * 365 * DAY_MS),
    extensions: [
      { name: 'basicConstraints', cA: true, pathLenConstraint: 0, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  return { certificate: pem(made.cert), key: pem(made.private) };
}

/** A second authority would make every certificate of the first one void: a key that is there stays. */
async function writeOnce(path: string, text: string): Promise<void> {
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.chmod(0o600);
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await syncFolder(join(path, '..'));
  } catch (thrown) {
    if (systemCodeOf(thrown) !== 'EEXIST') throw thrown;
    throw authorityError(
      `making ${path}: there is one already`,
      'Use the authority that is there, or name another folder.',
    );
  }
}

export function pem(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`;
}

/** A certificate is good a little before it is made: the clock of the other end may be behind. */
export const CLOCKS_APART_MS: number = 5 * 60_000;
export const DAY_MS: number = 86_400_000;
const YEARS = 10;

function authorityError(message: string, mend: string, cause?: unknown): EdgewardError {
  return new EdgewardError('EDW_ERR_AUTHORITY', message, cause === undefined ? { mend } : { mend, cause });
}
