/**
 * The central store of docker-compose.yml and its three people, made by the commands of docs/store.md: a key for each person,
 * the store, certificates of its authority, which then lies where the store does not reach. Keys of people belong on machines
 * of their own: these lie in volumes of one machine, to try a store out, and are good for nothing else.
 */
import { execFile } from 'node:child_process';
import { chmod, cp, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type CertificatePlace, daysLeft, giveTo, unlessMissing } from './renewal.ts';

/** Ada proposes, both others have to approve, Ben publishes. */
const PEOPLE: Record<string, string> = { ada: 'author', ben: 'approver,publisher', cyn: 'approver,auditor' };
const STORE_UID = 20012;
const PEOPLE_UID = 20013;
const SYNC_UID = 20001;

/** What issues certificates, and what it needs beside it: nobody has this volume but who makes and renews them. */
const ISSUER = '/authority/store';
const STORE = '/state/store';
const HOSTS = ['store', 'localhost', '127.0.0.1'];

interface Issued extends CertificatePlace {
  /** Of `edgeward store certificate`. */
  words: string[];
  folder: string;
  /** What its holder gets with it. */
  given: string;
  uid: number;
}

const homeOf = (person: string): string => `/people/${person}`;
const keyOf = (person: string): string => join(homeOf(person), `${person}.key`);

export const STORE_CERTIFICATES: readonly Issued[] = [
  issued('server', STORE_UID, join(STORE, 'tls'), join(STORE, 'tls'), [
    '--server',
    ...HOSTS.flatMap((host) => ['--host', host]),
  ]),
  issued('edge-1', SYNC_UID, '/identities/sync/store', '/identities/sync/store', ['--point', 'edge-1']),
  ...Object.keys(PEOPLE).map((person) =>
    issued(person, PEOPLE_UID, join(homeOf(person), '.config/edgeward'), join(homeOf(person), '.config'), [
      ...['--person', person, '--url', 'https://store:9443', '--signing-key', keyOf(person)],
    ]),
  ),
];

function issued(name: string, uid: number, folder: string, given: string, words: string[]): Issued {
  const at = (file: string): string => join(folder, file);
  return {
    words,
    folder,
    given,
    uid,
    certFile: at(`${name}.pem`),
    keyFile: at(`${name}-key.pem`),
    caFile: at('store-ca.pem'),
  };
}

/** What is there stays, but certificates that are good for less than `renewedBeforeDays`. */
export async function prepareStore(renewedBeforeDays: number): Promise<void> {
  if ((await stat(ISSUER).catch(unlessMissing)) === undefined) await make();
  await handOver();
  for (const it of STORE_CERTIFICATES) {
    if ((await daysLeft(it)) <= renewedBeforeDays) await store('certificate', ISSUER, ...it.words, '--out', it.folder);
    await giveTo(it.uid, it.given);
    await chmod(it.given, 0o700);
  }
}

/** Whole or not at all: an `up` that is cut off begins anew. */
async function make(): Promise<void> {
  const people = Object.entries(PEOPLE);
  for (const [person] of people) {
    await mkdir(homeOf(person), { recursive: true, mode: 0o700 });
    for (const file of [keyOf(person), `${keyOf(person)}.pub`]) await rm(file, { force: true });
  }
  await Promise.all(people.map(([person]) => store('key', '--name', person, '--out', keyOf(person))));
  for (const [person] of people) {
    await giveTo(PEOPLE_UID, homeOf(person));
    await chmod(homeOf(person), 0o700);
  }
  const unfinished = `${ISSUER}.new`;
  await rm(unfinished, { recursive: true, force: true });
  // Of a store from before: `docker compose down --volumes` leaves the identities where a profile runs, and that one's
  // certificate is good by that one's authority, which lies beside it.
  for (const { certFile } of STORE_CERTIFICATES) await rm(certFile, { force: true });
  const named = people.flatMap(([person, roles]) => ['--person', `${person}:${roles}=${keyOf(person)}.pub`]);
  await store('init', unfinished, ...HOSTS.flatMap((host) => ['--host', host]), ...named, '--approvals', '2');
  await rename(unfinished, ISSUER);
}

/** Of what was made the store gets all but the authority, `store.json` last; what issues keeps no key of the store. */
async function handOver(): Promise<void> {
  const marker = join(STORE, 'store.json');
  if ((await stat(marker).catch(unlessMissing)) === undefined) {
    const others = ['authority', 'inventory', 'edgeward-store.yaml', 'store.json'];
    for (const name of (await readdir(ISSUER)).filter((it) => !others.includes(it)))
      await cp(join(ISSUER, name), join(STORE, name), { recursive: true, preserveTimestamps: true });
    await cp(join(ISSUER, 'store.json'), `${marker}.new`);
    await giveTo(STORE_UID, STORE);
    await chmod(STORE, 0o700);
    await rename(`${marker}.new`, marker);
  }
  for (const name of ['keys', 'record']) await rm(join(ISSUER, name), { recursive: true, force: true });
}

async function store(...words: string[]): Promise<void> {
  const { stdout } = await promisify(execFile)('edgeward', ['store', ...words]);
  process.stdout.write(stdout);
}
