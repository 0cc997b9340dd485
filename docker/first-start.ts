/**
 * Makes what the services of docker-compose.yml know each other by, before any of them starts: an authority, a certificate
 * for each, the push token, passwords, the central store with its people; and gives each its folder of state. Every service
 * has a folder that no other can read. What is there stays, but a certificate in its last sixty days is issued anew. Nothing
 * here is for anything but this file.
 *
 *     node first-start.ts                once
 *     node first-start.ts --every 12     again every twelve hours
 *     node first-start.ts --renew        once, and every certificate is issued anew
 *     node first-start.ts --check        ends with 1 where one is about to end
 */
import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type Authority, createAuthority, issueCertificate, openAuthority } from '@edgeward/certificates';
import { systemCodeOf, writeDurably } from '@edgeward/runtime';
import { prepareStore, STORE_CERTIFICATES } from './example-store.ts';
import { type CertificatePlace, daysLeft, giveTo, unlessMissing } from './renewal.ts';

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
  // For its metrics, which its own health check reads too; points and people it meets with another one.
  store: { uid: 20012, point: 'store', serves: true },
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
const RENEWED_BEFORE_DAYS = 60;
/** Something keeps them from being renewed. */
const ALARMED_BEFORE_DAYS = 30;

const { values } = parseArgs({
  options: { every: { type: 'string' }, renew: { type: 'boolean' }, check: { type: 'boolean' } },
});
const ended = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => ended.abort());
if (values.check) await check();
else await keepPrepared();

async function check(): Promise<void> {
  const holders = Object.entries(HOLDERS).filter(([, it]) => hasCertificate(it));
  const places = holders.map(([name, it]) => placeOf(folderOf(name, it)));
  for (const place of [...places, ...STORE_CERTIFICATES]) {
    const days = await daysLeft(place);
    if (days > ALARMED_BEFORE_DAYS) continue;
    process.stdout.write(`${place.certFile} is good for ${days} days\n`);
    process.exitCode = 1;
  }
}

async function keepPrepared(): Promise<void> {
  const everyMs = Number(values.every ?? 0) * 3_600_000;
  do {
    await prepareAll(values.renew ? DAYS : RENEWED_BEFORE_DAYS);
    if (everyMs > 0) await pause(everyMs, undefined, { signal: ended.signal }).catch(() => {});
  } while (everyMs > 0 && !ended.signal.aborted);
}

async function prepareAll(renewedBeforeDays: number): Promise<void> {
  const authority = await openOrCreate();
  // What anybody has already is everybody's, before anything is made.
  const secrets = await sharedSecrets();
  for (const [name, holder] of Object.entries(HOLDERS))
    await prepare(name, holder, { authority, secrets, renewedBeforeDays });
  // Where its dashboards are mounted.
  await mkdir(join('/state/grafana', 'dashboards'), { recursive: true });
  for (const [folder, uid] of Object.entries(STATE)) await chown(folder, uid, uid);
  await writeDurably(join(FOLDER, 'authority.pem'), authority.certificate, { mode: 0o644 });
  await prepareStore(renewedBeforeDays);
  await chmod(FOLDER, 0o755);
}

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

interface Preparing {
  authority: Authority;
  secrets: Map<string, string>;
  renewedBeforeDays: number;
}

async function prepare(name: string, holder: Holder, preparing: Preparing): Promise<void> {
  const { uid, secrets: wanted = {} } = holder;
  const folder = folderOf(name, holder);
  await mkdir(folder, { recursive: true });
  await chmod(folder, 0o700);
  await writeFile(join(folder, 'authority.pem'), preparing.authority.certificate);
  if (hasCertificate(holder)) await certify(name, holder, preparing);
  for (const [file, secret] of Object.entries(wanted)) await share(preparing.secrets, secret, join(folder, file));
  await giveTo(uid, folder);
}

function hasCertificate({ point, serves }: Holder): boolean {
  return point !== undefined || serves === true;
}

/** The authority of clients is named as `edgeward nginx snippets` looks for it. */
function placeOf(folder: string): CertificatePlace {
  const at = (file: string): string => join(folder, file);
  return { certFile: at('certificate.pem'), keyFile: at('key.pem'), caFile: at('client-ca.pem') };
}

async function certify(name: string, holder: Holder, { authority, renewedBeforeDays }: Preparing): Promise<void> {
  const { point, serves = false } = holder;
  const place = placeOf(folderOf(name, holder));
  // Before the certificate: what is good is not made again.
  await writeFile(place.caFile, authority.certificate);
  if ((await daysLeft(place)) > renewedBeforeDays) return;
  const issued = await issueCertificate(authority, {
    uris: point === undefined ? [] : [`urn:edgeward:point:${point}`],
    hosts: serves ? [name, 'localhost', '127.0.0.1'] : [],
    server: serves,
    days: DAYS,
  });
  await writeDurably(place.keyFile, issued.key, { mode: 0o600 });
  await writeDurably(place.certFile, issued.certificate, { mode: 0o644 });
}

/** The same for each that has it. */
async function share(secrets: Map<string, string>, name: string, file: string): Promise<void> {
  const secret = secrets.get(name) ?? randomBytes(24).toString('hex');
  secrets.set(name, secret);
  const there = await readFile(file, 'utf8').catch(unlessMissing);
  if (there?.trim() !== secret) await writeDurably(file, `${secret}\n`, { mode: 0o600 });
}
