/**
 * Certificate, key and the authority of clients, from files, as one whole: read together, checked together, and read
 * again when one of them changed. What can't be used is reported and changes nothing.
 */
import { readFile, stat } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { EdgewardError, messageOf } from './errors.ts';
import { readSecret } from './secret-file.ts';

export interface TlsFiles {
  /** PEM, with what stands between it and its authority. */
  certFile: string;
  keyFile: string;
  /** PEM: only clients with a certificate of one of these authorities are let in. */
  clientCaFile: string;
}

export interface TlsMaterial {
  cert: string;
  key: string;
  ca: string;
}

/** Throws EDW_ERR_TLS, EDW_ERR_SECRET_FILE. */
export async function readTlsMaterial(files: TlsFiles): Promise<TlsMaterial> {
  const [cert, ca] = await Promise.all([readPem(files.certFile), readPem(files.clientCaFile)]);
  const material = { cert, key: await readSecret(files.keyFile), ca };
  try {
    createSecureContext(material);
  } catch (cause) {
    throw tlsError(`using ${files.certFile}, ${files.keyFile} and ${files.clientCaFile}: ${messageOf(cause)}`, cause);
  }
  return material;
}

/** Changes when one of the files does; a file that is away changes it too. */
export async function tlsSignature(files: TlsFiles): Promise<string> {
  const paths = [files.certFile, files.keyFile, files.clientCaFile];
  const seen = await Promise.all(paths.map((path) => stat(path, { bigint: true }).catch(() => null)));
  return seen.map((it) => (it === null ? '-' : `${it.ino}.${it.size}.${it.mtimeNs}`)).join(' ');
}

async function readPem(path: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw tlsError(`reading ${path}: ${messageOf(cause)}`, cause);
  }
  // OpenSSL takes an authority file without any certificate for an empty list and says nothing.
  if (!text.includes('-----BEGIN CERTIFICATE-----')) throw tlsError(`reading ${path}: no PEM certificate is in it`);
  return text;
}

function tlsError(message: string, cause?: unknown): EdgewardError {
  return new EdgewardError('EDW_ERR_TLS', message, {
    mend: 'Check the three files: PEM, the key being that of the certificate, the authority that of the clients.',
    ...(cause === undefined ? {} : { cause }),
  });
}
