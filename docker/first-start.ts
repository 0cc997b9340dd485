/**
 * Makes what the services of docker-compose.yml know each other by, before any of them starts: an authority, a certificate
 * for each, the push token, passwords; and gives each its folder of state. Every service has a folder that no other can read.
 * What is there stays, but a certificate in its last sixty days is issued anew. Nothing here is for anything but this file.
 */
import { randomBytes, X509Certificate } from 'node:crypto';
import { chmod, chown, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Authority, createAuthority, issueCertificate, openAuthority } from '@edgeward/certificates';
import { systemCodeOf, writeDurably } from '@edgeward/runtime';

interface Holder {
  /** Of the user that its container runs as. */
  uid: number;
  /** Where its folder is, if not among the identities. */
  folder?: string;
  /** Who it is as a client, `urn:edgeward:point:NAME`; a forwarder is the point that it speaks of. */
  point?: string;
  /** It is reached under its own name. */
  serves?: true;
  /** Files with secrets, and which; whoever names the same one shares it. */
  secrets?: Record<string, string>;
}

const HOLDERS: Record<string, Holder> = {
  sync: { uid: 20001, point: 'sync', serves: true, secrets: { 'push-token': 'push' } },
  nginx: { uid: 20002, serves: true, secrets: { 'push-token': 'push' } },
  forwarder: { uid: 20003, point: 'edge-1', serves: true },
  collector: { uid: 20004, serves: true, secrets: { 'ledger-password': 'ledger' } },
  postgres: {
    uid: 999,
    serves: true,
    secrets: { 'admin-password': 'postgres', 'ledger-password': 'ledger', 'reader-password': 'reader' },
  },
  prometheus: { uid: 65534, point: 'prometheus' },
  'sync-host': { uid: 20007, point: 'sync-host', serves: true },
  'sync-bigip': { uid: 20008, point: 'sync-bigip', serves: true, secrets: { 'bigip-password': 'bigip' } },
  bigip: { uid: 20009, secrets: { 'bigip-password': 'bigip' } },
  grafana: {
    uid: 472,
    folder: '/state/grafana',
    secrets: { 'postgres-password': 'reader', 'admin-password': 'grafana' },
  },
};

/** Volumes of state, and whose they are. */
const STATE: Record<string, number> = {
  '/state/sync': 20001,
  '/state/last-known': 20001,
  '/state/deny-log': 20002,
  '/state/forwarder': 20003,
  '/state/collector': 20004,
  '/state/sync-host': 20007,
  '/state/sync-bigip': 20008,
  '/state/bigip': 20009,
};

const FOLDER = '/identities';
const AUTHORITY = '/authority';
const DAYS = 365;
const RENEWED_BEFORE_MS = 60 * 86_400_000;

const authority = await openOrCreate();
// What anybody has already is everybody's, before anything is made.
const secrets = await sharedSecrets();
for (const [name, holder] of Object.entries(HOLDERS)) await prepare(name, holder);
// Where its dashboards are mounted.
await mkdir(join('/state/grafana', 'dashboards'), { recursive: true });
for (const [folder, uid] of Object.entries(STATE)) await chown(folder, uid, uid);
await writeDurably(join(FOLDER, 'authority.pem'), authority.certificate, { mode: 0o644 });
await chmod(FOLDER, 0o755);

async function openOrCreate(): Promise<Authority> {
  try {
    return await openAuthority(AUTHORITY);
  } catch (thrown) {
    if (systemCodeOf((thrown as Error).cause) !== 'ENOENT') throw thrown;
    return createAuthority(AUTHORITY);
  }
}

async function sharedSecrets(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const [name, holder] of Object.entries(HOLDERS)) {
    for (const [file, secret] of Object.entries(holder.secrets ?? {})) {
      const there = await readFile(join(folderOf(name, holder), file), 'utf8').catch(unlessMissing);
      if (there !== undefined) found.set(secret, there.trim());
    }
  }
  return found;
}

function folderOf(name: string, { folder }: Holder): string {
  return folder ?? join(FOLDER, name);
}

async function prepare(name: string, holder: Holder): Promise<void> {
  const { uid, secrets: wanted = {} } = holder;
  const folder = folderOf(name, holder);
  await mkdir(folder, { recursive: true });
  await chmod(folder, 0o700);
  await writeFile(join(folder, 'authority.pem'), authority.certificate);
  if (holder.point !== undefined || holder.serves) await certify(name, holder, folder);
  for (const [file, secret] of Object.entries(wanted)) await share(secret, join(folder, file));
  for (const file of await readdir(folder)) await chown(join(folder, file), uid, uid);
  await chown(folder, uid, uid);
}

async function certify(name: string, { point, serves }: Holder, folder: string): Promise<void> {
  const file = join(folder, 'certificate.pem');
  // Under the name that `edgeward nginx snippets` looks for. Before the certificate: what is good is not made again.
  await writeFile(join(folder, 'client-ca.pem'), authority.certificate);
  if (await isGood(file)) return;
  const issued = await issueCertificate(authority, {
    uris: point === undefined ? [] : [`urn:edgeward:point:${point}`],
    hosts: serves ? [name, 'localhost', '127.0.0.1'] : [],
    server: serves ?? false,
    days: DAYS,
  });
  await writeDurably(join(folder, 'key.pem'), issued.key, { mode: 0o600 });
  await writeDurably(file, issued.certificate, { mode: 0o644 });
}

async function isGood(file: string): Promise<boolean> {
  const text = await readFile(file, 'utf8').catch(unlessMissing);
  if (text === undefined) return false;
  const certificate = new X509Certificate(text);
  const ours = certificate.verify(new X509Certificate(authority.certificate).publicKey);
  return ours && certificate.validToDate.getTime() - Date.now() > RENEWED_BEFORE_MS;
}

/** The same for each that has it. */
async function share(name: string, file: string): Promise<void> {
  const secret = secrets.get(name) ?? randomBytes(24).toString('hex');
  secrets.set(name, secret);
  const there = await readFile(file, 'utf8').catch(unlessMissing);
  if (there?.trim() !== secret) await writeDurably(file, `${secret}\n`, { mode: 0o600 });
}

function unlessMissing(thrown: unknown): undefined {
  if (systemCodeOf(thrown) !== 'ENOENT') throw thrown;
}
