/**
 * Many points in one process. Five of them are one service, with one certificate: they share its transport with its
 * connections, as the sync service's own do; each has its own follower with its own folder, and its own compiler. The task is
 * JSON in the one argument; the parent says when to start.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CompiledPolicy } from '@edgeward/policy';
import {
  createFollower,
  createHttpsTransport,
  createNatsTransport,
  type Follower,
  type Transport,
} from '@edgeward/policy-feed';
import { createPointCompiler } from '@edgeward/policy-feed/last-hop';
import {
  type GoodSignatures,
  goodSignatures,
  type PointState,
  type SignedDocument,
  signedDocumentOf,
} from '@edgeward/policy-format';
import { createLogger } from '@edgeward/runtime';
import { monotonicMs } from './fleet-clock.ts';
import { certificateOf, pointName } from './fleet-estate.ts';
import type { Applied, ClientsStatus, ClientTask, FromClients, ToClients } from './fleet-messages.ts';
import { followWhole } from './fleet-whole-client.ts';
import { countWire } from './fleet-wire.ts';

const FLUSH_MS = 20;

const task = JSON.parse(process.argv[2] ?? '') as ClientTask;
const logger = createLogger({ level: (process.env.FLEET_LOG ?? 'silent') as 'silent' });
const send = (message: FromClients): void => void process.send?.(message);
const points = Array.from({ length: task.count }, (_, n) => task.first + n);
let pending: Applied[] = [];

function applied(point: number, revision: number, version: number): void {
  if (pending.length === 0)
    setTimeout(() => {
      send({ is: 'applied', applied: pending });
      pending = [];
    }, FLUSH_MS);
  pending.push({ point, revision, version, atMs: monotonicMs() });
}

const texts = new Map<string, string>();
function text(file: string): string {
  const known = texts.get(file) ?? readFileSync(file, 'utf8');
  texts.set(file, known);
  return known;
}

function tlsOf(point: number): { ca: string; cert: string; key: string } {
  const at = (name: string): string => text(join(task.certificates, name));
  const number = certificateOf(point);
  return { ca: at('ca.pem'), cert: at(`${number}.pem`), key: at(`${number}-key.pem`) };
}

const transports = new Map<number, Transport>();

function transportOf(point: number): Transport {
  const { way } = task;
  if (way.kind === 'store') {
    const certificate = certificateOf(point);
    const known = transports.get(certificate) ?? createHttpsTransport({ url: way.url, tls: tlsOf(point), logger });
    transports.set(certificate, known);
    return known;
  }
  if (way.kind !== 'nats') throw new Error('there is no transport to the whole policy');
  return createNatsTransport({
    urls: way.servers,
    credentials: { kind: 'password', user: `site-${certificateOf(point)}`, password: way.password },
    points: [pointName(point)],
    logger,
  });
}

interface Client {
  follower: Follower;
  /** What a point would be given: held as the sync service holds it. */
  policy: CompiledPolicy | null;
}

/** Five points share a certificate as those of one service do; so they share what such a service works out once. */
const signatures = new Map<number, GoodSignatures>();
function signaturesOf(point: number): GoodSignatures {
  const certificate = certificateOf(point);
  const known = signatures.get(certificate) ?? goodSignatures();
  signatures.set(certificate, known);
  return known;
}

function clientOf(point: number, pinnedRoot: SignedDocument, stateDir: string): Client {
  const name = pointName(point);
  const compiler = createPointCompiler(name);
  const client: Client = {
    policy: null,
    follower: createFollower({
      point: name,
      transport: transportOf(point),
      pinnedRoot,
      stateDir,
      signatures: signaturesOf(point),
      service: `fleet-${task.first}`,
      logger,
      onState(state: PointState) {
        client.policy = compiler.compile(state, Date.now()).policy;
        applied(point, state.head.revision, state.approval.approval.version);
      },
      observe: () => ({
        applied: client.policy?.revision ?? null,
        state: 'current',
        nack: null,
        denials: { total: 0, sinceMs: 0 },
      }),
    }),
  };
  return client;
}

function statusOf(clients: Client[]): ClientsStatus {
  const status: ClientsStatus = { revisions: [], errors: {}, snapshots: 0, deltas: 0 };
  for (const { follower } of clients) {
    const { revision, snapshots, deltas, lastError, nack } = follower.status();
    status.revisions.push(revision);
    status.snapshots += snapshots;
    status.deltas += deltas;
    const code = nack?.code ?? lastError?.code;
    if (code !== undefined) status.errors[code] = (status.errors[code] ?? 0) + 1;
  }
  return status;
}

function follow(way: Exclude<ClientTask['way'], { kind: 'whole' }>): () => Promise<void> {
  const root = signedDocumentOf(JSON.parse(text(way.rootFile)));
  const clients = points.map((point) => clientOf(point, root, way.stateDir));
  status = () => statusOf(clients);
  return async () => void (await Promise.all(clients.map(({ follower }) => follower.start())));
}

let status = (): ClientsStatus => ({ revisions: [], errors: {}, snapshots: 0, deltas: 0 });
let wire = (): ReturnType<ReturnType<typeof countWire>> => ({});
const { way } = task;
const start =
  way.kind === 'whole'
    ? () => followWhole({ url: way.url, points, tlsOf, onPolicy: (point) => applied(point, 0, 0) })
    : follow(way);

process.on('message', (message: ToClients) => {
  if (message.do === 'start') start().catch((thrown: unknown) => send({ is: 'failed', message: String(thrown) }));
  else if (message.do === 'count') wire = countWire();
  else if (message.do === 'wire') send({ is: 'wire', wire: wire() });
  else send({ is: 'status', status: status() });
});
// Nobody is told: what these clients hold is the benchmark's own, and its folders are gone with it.
process.on('disconnect', () => process.exit(0));
send({ is: 'ready' });
