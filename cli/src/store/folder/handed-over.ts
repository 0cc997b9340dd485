/**
 * What whoever gets a certificate needs beside it: the trust root to pin, and for a person a profile that only lacks their
 * signing key. A profile that is there stays: a renewal changes nothing of what somebody wrote into it.
 */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { loadStoreConfig } from '@edgeward/central-store';
import { EdgewardError, messageOf, systemCodeOf, writeDurably } from '@edgeward/runtime';
import { stringify } from 'yaml';
import { writeNew } from '../new-file.ts';
import { type CertificateFiles, serverFolder } from './authority-folder.ts';

export interface HandedOver {
  rootFile: string;
  /** Null for a point. */
  profile: string | null;
}

/** Throws EDW_ERR_STORE_FOLDER, EDW_ERR_OUT_FILE, EDW_ERR_STATE_WRITE. */
export async function handOver(
  dir: string,
  folder: string,
  files: CertificateFiles,
  person: { url: string | undefined; signingKey: string | undefined } | null,
): Promise<HandedOver> {
  const rootFile = join(folder, 'root.json');
  await writeDurably(rootFile, await firstRoot(dir), { mode: 0o644 });
  if (person === null) return { rootFile, profile: null };
  const profile = join(folder, 'store.yaml');
  const text = profileText(person.url ?? (await likelyUrl(dir)), files, person.signingKey);
  await writeNew(profile, text, 0o644).catch((thrown: unknown) => {
    if (!(thrown instanceof EdgewardError) || systemCodeOf(thrown.cause) !== 'EEXIST') throw thrown;
  });
  return { rootFile, profile };
}

export async function firstRoot(dir: string): Promise<string> {
  const path = join(dir, 'roots', '1.json');
  return await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new EdgewardError('EDW_ERR_STORE_FOLDER', `reading ${path}: ${messageOf(cause)}`, {
      mend: 'Name the folder of a store, or make one with `edgeward store init`.',
      cause,
    });
  });
}

function profileText(
  url: string,
  { certFile, keyFile, caFile }: CertificateFiles,
  signingKey: string | undefined,
): string {
  const keys = {
    url,
    certFile: basename(certFile),
    keyFile: basename(keyFile),
    caFile: basename(caFile),
    rootFile: 'root.json',
    ...(signingKey === undefined ? {} : { signingKeyFile: resolve(signingKey) }),
  };
  return `# For --profile, or as ~/.config/edgeward/store.yaml; paths are relative to this file.\n${stringify(keys)}${signingKey === undefined ? '# To sign: signingKeyFile, and passphraseFile where it is sealed.\n' : ''}`;
}

/** By the certificate that the server shows and the port of its configuration; a guess that is there to be corrected. */
async function likelyUrl(dir: string): Promise<string> {
  const file = join(dir, 'edgeward-store.yaml');
  const port = await loadStoreConfig({ file }).then(
    ({ listen }) => listen.port,
    () => 9443,
  );
  return `https://${await serverHost(dir)}:${port}`;
}

async function serverHost(dir: string): Promise<string> {
  try {
    const { subjectAltName } = new X509Certificate(await readFile(join(serverFolder(dir), 'server.pem')));
    const host = /(?:DNS|IP Address):([^,]+)/.exec(subjectAltName ?? '')?.[1] ?? 'localhost';
    return host.includes(':') ? `[${host}]` : host;
  } catch {
    return 'localhost';
  }
}
