import { createPrivateKey, X509Certificate } from 'node:crypto';
import { access, readFile, rename, rm } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import {
  type Authority,
  authorityFile,
  createAuthority,
  fingerprintOf,
  issueCertificate,
  openAuthority,
} from '@edgeward/certificates';
import {
  EdgewardError,
  makeFolder,
  messageOf,
  syncFolder,
  systemCodeOf,
  type TlsFiles,
  writeDurably,
} from '@edgeward/runtime';

/**
 * The authority that hosts get their identities from, and the certificate that this service shows them: `authority/` and
 * `tls/` in `STATEDIR/hosts`. Both are made when they are missing; an authority that is there is never replaced, as every
 * host would have to be enrolled anew.
 */
export interface AuthorityFolder {
  authority: Authority;
  /** For listeners: the certificate with its authority behind it, so that a host can look whether it is the one it was told of. */
  files: TlsFiles;
  /** Issues the certificate of the service anew where that is due. Throws EDW_ERR_STATE_WRITE. */
  renewServer(nowMs: number): Promise<void>;
}

export interface AuthorityFolderOptions {
  /** `STATEDIR/hosts`. */
  folder: string;
  /** DNS names and addresses that hosts reach this service under; not empty. */
  names: readonly string[];
  nowMs: number;
}

const SERVER_DAYS = 90;
const RENEWED_BEFORE_DAYS = 30;
const DAY_MS = 86_400_000;

/** Throws EDW_ERR_AUTHORITY, EDW_ERR_SECRET_FILE, EDW_ERR_CERTIFICATE_REQUEST, EDW_ERR_STATE_WRITE. */
export async function openAuthorityFolder(options: AuthorityFolderOptions): Promise<AuthorityFolder> {
  const { folder, names, nowMs } = options;
  const authority = await openOrMake(folder, nowMs);
  const tls = join(folder, 'tls');
  await makeFolder(tls);
  const files = {
    certFile: join(tls, 'server.pem'),
    keyFile: join(tls, 'server-key.pem'),
    clientCaFile: authorityFile(authorityFolder(folder)),
  };
  const renewServer = async (atMs: number): Promise<void> => {
    if (await isDue(files, authority, names, atMs)) await issueServer(files, authority, names, atMs);
  };
  await renewServer(nowMs);
  return { authority, files, renewServer };
}

/** So many, or as many as the authority itself has left: in its last months it goes on giving what it can. */
export function daysOf(authority: Authority, most: number, nowMs: number): number {
  const endsMs = new X509Certificate(authority.certificate).validToDate.getTime();
  return Math.max(1, Math.min(most, Math.floor((endsMs - nowMs) / DAY_MS)));
}

/** What a person carries to a host, so that it knows whom to believe. Throws EDW_ERR_HOST_INVITING where there is none yet. */
export async function authorityFingerprint(folder: string): Promise<string> {
  const path = authorityFile(authorityFolder(folder));
  try {
    return fingerprintOf(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new EdgewardError('EDW_ERR_HOST_INVITING', `reading ${path}: ${messageOf(cause)}`, {
      mend: 'Start the service once with `hosts` in its configuration: it makes its authority then. Run this where it runs, as its user or as root.',
      cause,
    });
  }
}

function authorityFolder(folder: string): string {
  return join(folder, 'authority');
}

/** Made beside and renamed: killed in between, it leaves no half of one that would be in the way for ever. */
async function openOrMake(folder: string, nowMs: number): Promise<Authority> {
  const place = authorityFolder(folder);
  if (await isThere(place)) return await openAuthority(place);
  const unfinished = `${place}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await createAuthority(unfinished, nowMs);
  await rename(unfinished, place);
  await syncFolder(folder);
  return await openAuthority(place);
}

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (thrown) {
    // One that is there and can't be looked at is not replaced either.
    return systemCodeOf(thrown) !== 'ENOENT';
  }
}

/** Also where it lacks a name, is of another authority, or the files don't fit together. */
async function isDue(files: TlsFiles, authority: Authority, names: readonly string[], nowMs: number): Promise<boolean> {
  try {
    const [text, key] = await Promise.all([readFile(files.certFile, 'utf8'), readFile(files.keyFile, 'utf8')]);
    const leaf = new X509Certificate(text);
    const endsInMs = leaf.validToDate.getTime() - nowMs;
    // Too far off, it was made by a clock that was wrong.
    if (endsInMs < RENEWED_BEFORE_DAYS * DAY_MS || endsInMs > (SERVER_DAYS + 1) * DAY_MS) return true;
    if (!leaf.verify(new X509Certificate(authority.certificate).publicKey)) return true;
    if (!leaf.checkPrivateKey(createPrivateKey(key))) return true;
    return !names.every((name) => (isIP(name) === 0 ? leaf.checkHost(name) : leaf.checkIP(name)) !== undefined);
  } catch {
    return true;
  }
}

async function issueServer(
  files: TlsFiles,
  authority: Authority,
  names: readonly string[],
  nowMs: number,
): Promise<void> {
  const days = daysOf(authority, SERVER_DAYS, nowMs);
  const issued = await issueCertificate(authority, { uris: [], hosts: names, server: true, days, nowMs });
  // The key first: a certificate without its key is of no use. Listeners read both again, and only a pair that fits.
  await writeDurably(files.keyFile, issued.key);
  await writeDurably(files.certFile, `${issued.certificate}${authority.certificate}`, { mode: 0o644 });
}
