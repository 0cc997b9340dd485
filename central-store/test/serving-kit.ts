/** A real store on loopback: its folder, its people with keys and certificates, an inventory, and requests to it. */
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import type { IncomingHttpHeaders } from 'node:http';
import { type Agent, type RequestOptions, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { addSignature, generateSigningKey, type SigningKey, sign } from '@edgeward/policy-format';
import { createLifecycle, createLogger, systemClock } from '@edgeward/runtime';
import { type CertificateFiles, type TestCertificates, testCertificates } from '@edgeward/test/kit';
import type { Test } from 'tap';
import {
  type Bundle,
  bundleOf,
  computeApprovalPayload,
  DEFAULT_ROLLOUT,
  initStore,
  type NewStore,
  type PayloadInputs,
  type Store,
  type StoreServiceConfig,
  startStore,
} from '../src/index.ts';

const ROLES = {
  ada: ['author'],
  cleo: ['approver'],
  eve: ['publisher'],
  flo: ['viewer', 'auditor'],
} as const;

export type PersonName = keyof typeof ROLES;

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  bytes: Buffer;
  text: string;
  json(): unknown;
}

export interface Ask extends RequestOptions {
  body?: unknown;
  agent?: Agent | false;
}

export interface ServedStore {
  dir: string;
  config: StoreServiceConfig;
  made: NewStore;
  keys: Record<PersonName, SigningKey>;
  certificates: TestCertificates;
  store: Store;
  /** Of people and points, each made once. */
  who(name: PersonName | `edge-${string}`): Promise<CertificateFiles>;
  /** Null: without a client certificate. */
  ask(who: CertificateFiles | null, path: string, options?: Ask): Promise<Answer>;
  as(name: PersonName | `edge-${string}`, path: string, options?: Ask): Promise<Answer>;
  /** Signed by the author; what an HTTP body carries. */
  draft(bundle: Bundle, more?: Partial<PayloadInputs>): Promise<{ approval: unknown; documents: string }>;
  /** From documents to a version, with everybody's signature; the answer is its number. */
  decide(bundle: Bundle, more?: Partial<PayloadInputs>): Promise<number>;
  /** The same, everywhere in force when it settles. */
  publish(bundle: Bundle, more?: Partial<PayloadInputs>): Promise<void>;
  /** Replaces the inventory, and waits until it is in force or waits for a person. */
  inventory(...workloads: object[]): Promise<void>;
  stop(): Promise<void>;
  start(): Promise<void>;
}

export interface ServedOptions {
  config?: Partial<StoreServiceConfig>;
}

const logger = createLogger({ level: 'silent' });

export async function openServedStore(t: Test, options: ServedOptions = {}): Promise<ServedStore> {
  const base = await mkdtemp(join(tmpdir(), 'edgeward-serving-'));
  const certificates = await testCertificates(join(base, 'certificates'));
  const names = Object.keys(ROLES) as PersonName[];
  const made = await Promise.all(names.map(async (name) => [name, await generateSigningKey()] as const));
  const keys = Object.fromEntries(made) as ServedStore['keys'];
  const dir = join(base, 'state');
  const people = names.map((name) => ({ name, roles: [...ROLES[name]], keys: [keys[name].publicKey] }));
  const thresholds = { normal: 1, elevated: 1, root: 1, breakGlassHours: 4 };
  const created = await initStore({ dir, people, thresholds, clock: systemClock, logger, approverKeys: [keys.cleo] });
  const server = await certificates.server();
  await mkdir(join(base, 'inventory'));
  const held = new Map<string, Promise<CertificateFiles>>();
  let close = async (): Promise<void> => {};

  const self: ServedStore = {
    dir,
    made: created,
    keys,
    certificates,
    config: {
      stateDir: dir,
      inventory: join(base, 'inventory'),
      listen: { host: '127.0.0.1', port: 0 },
      tls: { certFile: server.certFile, keyFile: server.keyFile, clientCaFile: certificates.caFile },
      metrics: { host: '127.0.0.1', port: 0, tls: null },
      headMs: 86_400_000,
      rateLimits: { requests: { perSecond: 1_000, burst: 10_000 }, blobs: { perSecond: 1_000, burst: 10_000 } },
      rollout: DEFAULT_ROLLOUT,
      nats: null,
      logLevel: 'error',
      ...options.config,
    },
    get store(): Store {
      throw new Error('the store was not started');
    },
    who(name) {
      const known = held.get(name) ?? (name in ROLES ? certificates.person(name) : certificates.point(name));
      held.set(name, known);
      return known;
    },
    ask: (who, path, asked) => ask(self.store.port, certificates.ca, who, path, asked),
    as: async (name, path, asked) => self.ask(await self.who(name), path, asked),
    async draft(bundle, more = {}) {
      const { proposals, roots } = self.store.folder;
      const { payload } = computeApprovalPayload({
        bundle,
        previous: await proposals.predecessor(),
        root: roots.newest(),
        proposedBy: 'ada',
        reason: 'CHG-1',
        nowMs: Date.now(),
        ...more,
      });
      return { approval: await sign(payload, [keys.ada]), documents: Buffer.from(bundle.bytes).toString() };
    },
    async decide(bundle, more) {
      const { proposals } = self.store.folder;
      const { approval } = (await self.draft(bundle, more)) as { approval: Awaited<ReturnType<typeof sign>> };
      const by = (name: string) => ({ name, by: 'local' });
      const { id } = await proposals.propose(by('ada'), { approval, bundle: bundle.bytes });
      const document = await addSignature({ ...approval, signatures: [] }, 'edgeward-approval/1', keys.cleo);
      await proposals.approve(by('cleo'), id, { document, reason: 'looked at it' });
      await proposals.publish(by('eve'), id);
      return proposals.view(id).version ?? 0;
    },
    async publish(bundle, more) {
      const version = await self.decide(bundle, more);
      await until(`version ${version} is in force`, () => {
        const points = [...self.store.publishing.points()];
        return points.length > 0 && points.every(({ state }) => state?.version === version);
      });
    },
    async inventory(...workloads) {
      const text = workloads.map((workload) => `${JSON.stringify({ kind: 'Workload', ...workload })}\n`).join('');
      const file = join(self.config.inventory, 'machines.ndjson');
      await writeFile(`${file}.new`, text);
      await rename(`${file}.new`, file);
      await until('the inventory is in force', () => {
        const { inventory } = self.store.status();
        const names = new Set(self.store.publishing.workloads.names());
        return (
          inventory.waiting !== null ||
          inventory.error !== null ||
          (names.size === workloads.length && workloads.every((it) => names.has((it as { name: string }).name)))
        );
      });
    },
    async start() {
      const lifecycle = createLifecycle(logger);
      close = async () => {
        close = async () => {};
        await lifecycle.shutdown('the test');
        lifecycle.release();
      };
      try {
        const store = await startStore({ config: self.config, version: '0.0.0', logger, lifecycle });
        Object.defineProperty(self, 'store', { value: store, configurable: true });
        // The same place after a restart.
        self.config.listen.port = store.port;
      } catch (thrown) {
        await close();
        throw thrown;
      }
    },
    stop: () => close(),
  };
  t.teardown(async () => {
    await close();
    await rm(base, { recursive: true, force: true });
  });
  await self.start();
  return self;
}

export function ask(
  port: number,
  ca: string,
  who: CertificateFiles | null,
  path: string,
  { body, headers, ...more }: Ask = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sending = body === undefined ? undefined : Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
    const sent = request(
      {
        ...{ host: '127.0.0.1', port, path, ca, agent: false, method: sending === undefined ? 'GET' : 'POST' },
        ...(who === null ? {} : { cert: who.cert, key: who.key }),
        headers: { ...(sending === undefined ? {} : { 'content-length': sending.length }), ...headers },
        ...more,
      },
      async (response) => {
        const chunks: Buffer[] = [];
        try {
          for await (const chunk of response) chunks.push(chunk);
        } catch (thrown) {
          return reject(thrown);
        }
        const bytes = Buffer.concat(chunks);
        const text = bytes.toString();
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          bytes,
          text,
          json: () => JSON.parse(text) as unknown,
        });
      },
    );
    sent.on('error', reject);
    sent.end(sending);
  });
}

export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 3_000; attempt += 1) {
    if (await holds()) return;
    await sleep(10);
  }
  throw new Error(`within 30 s it did not come that ${what}`);
}

/** One front at each point, which `crm` workloads inside 10.30.0.0/16 may reach. */
/** `rule`: one id, or several for as many rules. */
export function shopBundle(points: readonly string[], rule: string | string[] = 'crm-orders', max = 2_000): Bundle {
  const fronts = points.map((point) => ({
    kind: 'VirtualServer',
    name: `front-${point}`,
    labels: { app: 'shop' },
    point,
    bind: `front-${point}`,
    ports: ['tcp/443'],
    mode: 'enforce',
  }));
  const from = [{ workloads: "app == 'crm'", within: ['10.30.0.0/16'], max }];
  const rules = [rule].flat().map((id) => ({ id, from, to: "app == 'shop'", ports: ['tcp/443'] }));
  const documents = [...fronts, { kind: 'Policy', name: 'shop', rules }];
  return bundleOf(documents.map((value) => ({ file: 'x.yaml', value, locate: () => ({ line: 1, column: 1 }) })));
}

export function crm(number: number): object {
  const address = `10.30.${number >> 8}.${number & 255}`;
  return { name: `crm-${number}`, labels: { app: 'crm' }, addresses: [address] };
}

export function crms(count: number, from = 1): object[] {
  return Array.from({ length: count }, (_, i) => crm(from + i));
}
