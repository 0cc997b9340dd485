/**
 * What a fleet follows, on disk: the folder of a store, its inventory, certificates of everybody; and the people of it, who
 * propose, approve and publish over HTTPS as they would. Nothing is started here.
 */
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Bundle,
  bundleOf,
  computeApprovalPayload,
  initStore,
  type NewStore,
  type Predecessor,
  type StoreConfigInput,
} from '@edgeward/central-store';
import { addSignature, digestOfPayload, generateSigningKey, type SigningKey, sign } from '@edgeward/policy-format';
import { createLogger, systemClock } from '@edgeward/runtime';
import { type CertificateFiles, type TestCertificates, testCertificates } from '../kit/index.ts';
import type { Bench } from './benchmark.ts';
import { monotonicMs } from './fleet-clock.ts';
import { certificateOf, POINTS_PER_CERTIFICATE, pointName } from './fleet-estate.ts';

const PEOPLE = { ada: ['author'], cleo: ['approver'], eve: ['publisher'] } as const;
type Person = keyof typeof PEOPLE;

/** `edgeward-store.yaml`, without what has a default. */
export type FleetConfig = Pick<
  StoreConfigInput,
  'stateDir' | 'inventory' | 'listen' | 'tls' | 'metrics' | 'nats' | 'logLevel'
> & {
  rollout: object;
};

export interface FleetWorld {
  config: FleetConfig;
  /** `ca.pem`; for every few points `N.pem` and `N-key.pem`. */
  certificates: string;
  /** Of a server on loopback. */
  server: CertificateFiles;
  rootFile: string;
  /** Replaces the whole inventory. The answer: when it was in place. */
  writeInventory(text: string): Promise<number>;
  /** Computed, signed, proposed and approved. */
  approve(url: string, documents: object[]): Promise<Approved>;
}

export interface Approved {
  /** How long the store took to answer whoever proposed it. */
  proposedMs: number;
  /** The answer: when that was asked for. */
  publish(): Promise<number>;
}

export async function fleetWorld(bench: Bench, points: number): Promise<FleetWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-fleet-'));
  bench.teardown(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const issued = await testCertificates(join(folder, 'authority'));
  const certificates = join(folder, 'certificates');
  await writeCertificates(certificates, issued, points);
  const [stateDir, inventory] = [join(folder, 'store'), join(folder, 'inventory')];
  await mkdir(inventory);
  const keys = await keysOfPeople();
  const made = await begin(stateDir, keys);
  const server = await issued.server();
  const people = await peopleOf(issued, keys, made);
  return {
    certificates,
    server,
    rootFile: join(stateDir, 'roots', '1.json'),
    config: configOf(stateDir, inventory, server),
    async writeInventory(text) {
      await writeFile(join(inventory, 'machines.new'), text);
      await rename(join(inventory, 'machines.new'), join(inventory, 'machines.ndjson'));
      return monotonicMs();
    },
    approve: people,
  };
}

async function writeCertificates(folder: string, issued: TestCertificates, points: number): Promise<void> {
  await mkdir(folder);
  await writeFile(join(folder, 'ca.pem'), issued.ca);
  for (let first = 0; first < points; first += POINTS_PER_CERTIFICATE) {
    const count = Math.min(POINTS_PER_CERTIFICATE, points - first);
    const { cert, key } = await issued.point(...Array.from({ length: count }, (_, n) => pointName(first + n)));
    await writeFile(join(folder, `${certificateOf(first)}.pem`), cert);
    await writeFile(join(folder, `${certificateOf(first)}-key.pem`), key, { mode: 0o600 });
  }
}

async function keysOfPeople(): Promise<Record<Person, SigningKey>> {
  return { ada: await generateSigningKey(), cleo: await generateSigningKey(), eve: await generateSigningKey() };
}

function begin(dir: string, keys: Record<Person, SigningKey>): Promise<NewStore> {
  const names = Object.keys(PEOPLE) as Person[];
  return initStore({
    dir,
    people: names.map((name) => ({ name, roles: [...PEOPLE[name]], keys: [keys[name].publicKey] })),
    thresholds: { normal: 1, elevated: 1, root: 1, breakGlassHours: 0 },
    clock: systemClock,
    logger: createLogger({ level: 'silent' }),
    approverKeys: [keys.cleo],
  });
}

/**
 * As the product comes, but for the addresses, and but for the time to confirm what is enforced for the first time: nobody
 * is here to do that.
 */
function configOf(stateDir: string, inventory: string, server: CertificateFiles): FleetConfig {
  return {
    stateDir,
    inventory,
    listen: '127.0.0.1:0',
    tls: { certFile: server.certFile, keyFile: server.keyFile, clientCaFile: server.caFile },
    metrics: { listen: '127.0.0.1:0' },
    rollout: { confirmMinutes: 1_440 },
    logLevel: 'warn',
  };
}

async function peopleOf(
  issued: TestCertificates,
  keys: Record<Person, SigningKey>,
  { root }: NewStore,
): Promise<FleetWorld['approve']> {
  const who = { ada: await issued.person('ada'), cleo: await issued.person('cleo'), eve: await issued.person('eve') };
  let previous: Predecessor | null = null;
  return async (url, documents) => {
    const bundle = bundleIn(documents);
    const input = { bundle, previous, root, proposedBy: 'ada', reason: 'CHG-1', nowMs: Date.now() };
    const { payload } = computeApprovalPayload(input);
    const approval = await sign(payload, [keys.ada]);
    const asked = { approval, documents: Buffer.from(bundle.bytes).toString() };
    const fromMs = monotonicMs();
    const { id } = (await post(url, who.ada, '/v1/proposals', asked)) as { id: string };
    const proposedMs = monotonicMs() - fromMs;
    const document = await addSignature({ ...approval, signatures: [] }, payload.typ, keys.cleo);
    await post(url, who.cleo, `/v1/proposals/${id}/signatures`, { document, reason: 'looked at it' });
    previous = { approval: payload, digest: digestOfPayload(approval), approved: bundle };
    const publish = async (): Promise<number> => {
      const atMs = monotonicMs();
      await post(url, who.eve, `/v1/proposals/${id}/publish`, {});
      return atMs;
    };
    return { proposedMs, publish };
  };
}

function bundleIn(documents: object[]): Bundle {
  return bundleOf(documents.map((value) => ({ file: 'fleet', value, locate: () => ({ line: 1, column: 1 }) })));
}

function post(url: string, { cert, key, ca }: CertificateFiles, path: string, body: object): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const bytes = Buffer.from(JSON.stringify(body));
    const headers = { 'content-type': 'application/json', 'content-length': bytes.length };
    const sent = request(`${url}${path}`, { method: 'POST', agent: false, cert, key, ca, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
      });
      response.once('error', reject);
      response.once('end', () => {
        const good = (response.statusCode ?? 0) < 300;
        if (good) resolve(text === '' ? null : JSON.parse(text));
        else reject(new Error(`${path} answered ${response.statusCode}: ${text.slice(0, 500)}`));
      });
    });
    sent.once('error', reject);
    sent.end(bytes);
  });
}
