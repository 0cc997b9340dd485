/** Whether a certificate is to be issued anew, and who reads what was. Nothing here writes a certificate. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { lchown, lstat, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCodeOf } from '@edgeward/runtime';

export interface CertificatePlace {
  certFile: string;
  keyFile: string;
  /** PEM of the authority that it has to be of. */
  caFile: string;
}

const DAY_MS = 86_400_000;

/** How many days it is good; 0 for one that is missing, of another authority, or not of the key beside it. */
export async function daysLeft({ certFile, keyFile, caFile }: CertificatePlace): Promise<number> {
  const texts = await Promise.all(
    [certFile, keyFile, caFile].map((file) => readFile(file, 'utf8').catch(unlessMissing)),
  );
  const [text, key, authority] = texts;
  if (text === undefined || key === undefined || authority === undefined) return 0;
  const certificate = new X509Certificate(text);
  const fits = certificate.checkPrivateKey(createPrivateKey(key));
  if (!fits || !certificate.verify(new X509Certificate(authority).publicKey)) return 0;
  return Math.max(0, Math.floor((certificate.validToDate.getTime() - Date.now()) / DAY_MS));
}

/** A folder, and whatever is in it. Links are left alone: whoever owns a folder could lead this anywhere. */
export async function giveTo(uid: number, path: string): Promise<void> {
  // What its owner removes meanwhile is nobody's.
  const found = await lstat(path).catch(unlessMissing);
  if (found === undefined || found.isSymbolicLink()) return;
  if (found.isDirectory()) for (const name of await readdir(path)) await giveTo(uid, join(path, name));
  await lchown(path, uid, uid).catch(unlessMissing);
}

export function unlessMissing(thrown: unknown): undefined {
  if (systemCodeOf(thrown) !== 'ENOENT') throw thrown;
}
