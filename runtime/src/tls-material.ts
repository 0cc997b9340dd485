/**
 * Certificate, key and the authority of clients, from files, as one whole: read together, checked together, and read
 * again when one of them changed. What can't be used is reported and changes nothing.
 */
import { readFile, stat } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { EdgewardError, messageOf } from './errors.ts';
import { readSecret } from './secret-file.ts';

/** What a server shows. */
export interface TlsServerFiles {
  /** PEM, with what stands between it and its authority. */
  certFile: string;
  keyFile: string;
}

export interface TlsFiles extends TlsServerFiles {
  /** PEM: only clients with a certificate of one of these authorities are let in. */
  clientCaFile: string;
}

export interface TlsMaterial {
  cert: string;
  key: string;
  /** Null where clients show no certificate. */
  ca: string | null;
}

type AnyFiles = TlsServerFiles | TlsFiles;

/** Throws EDW_ERR_TLS, EDW_ERR_SECRET_FILE. */
export async function readTlsMaterial(files: AnyFiles): Promise<TlsMaterial> {
  const caFile = clientCaFileOf(files);
  const [cert, ca] = await Promise.all([readPem(files.certFile), caFile === null ? null : readPem(caFile)]);
  const key = await readSecret(files.keyFile);
  try {
    createSecureContext({ cert, key, ...(ca === null ? {} : { ca }) });
  } catch (cause) {
    throw tlsError(`using ${pathsOf(files).join(', ')}: ${messageOf(cause)}`, cause);
  }
  return { cert, key, ca };
}

/** Changes when one of the files does; a file that is away changes it too. */
export async function tlsSignature(files: AnyFiles): Promise<string> {
  const seen = await Promise.all(pathsOf(files).map((path) => stat(path, { bigint: true }).catch(() => null)));
  return seen.map((it) => (it === null ? '-' : `${it.ino}.${it.size}.${it.mtimeNs}`)).join(' ');
}

function pathsOf(files: AnyFiles): string[] {
  const caFile = clientCaFileOf(files);
  return [files.certFile, files.keyFile, ...(caFile === null ? [] : [caFile])];
}

function clientCaFileOf(files: AnyFiles): string | null {
  return 'clientCaFile' in files ? files.clientCaFile : null;
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
    mend: 'Check these files: PEM, the key being that of the certificate, the authority that of the clients.',
    ...(cause === undefined ? {} : { cause }),
  });
}
