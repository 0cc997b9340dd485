import { digestOf } from '@edgeward/policy-format';
import { createLogger } from '@edgeward/runtime';
import { type NatsStore, requireNatsServer, startNatsStore } from '@edgeward/test/kit';
import { connect, headers, type NatsConnection } from '@nats-io/transport-node';
import t, { type Test } from 'tap';
import { createNatsTransport, natsLayout } from '../src/index.ts';
import type { Stage } from './conformance/stage.ts';
import { transportConformance } from './conformance.ts';
import { changingWorld } from './fixtures/changing-world.ts';

await requireNatsServer(t);

const { BYTES_HEADER, PARTS_HEADER, headSubject, partSubject } = natsLayout;

await transportConformance(t, 'NATS', async (t) => {
  const { world, change, decide, clock, point, other } = await changingWorld();
  const store = await startNatsStore({ world, nodes: 1, points: [point, other] });
  t.teardown(() => store.close());
  await store.bring();
  const { servers } = store.cluster;
  const credentials = store.credentials(point);
  const log = createLogger({ level: 'silent' });
  const options = { urls: servers, credentials, points: [point], logger: log, clock, lookMs: 200, attemptMs: 700 };
  const transport = createNatsTransport(options);
  t.teardown(() => transport.close());
  let isCut = false;
  const brought = (step: () => Promise<void>) => async () => {
    await step();
    if (!isCut) await store.bring();
  };
  const write = (bytes: Uint8Array | string) => written(t, store, headSubject(point), bytes);
  return {
    transport,
    pinned: world.pinned,
    point,
    unknownPoint: 'edge-99',
    clock,
    change: brought(change),
    decide: brought(decide),
    head: () => world.head(point),
    async cut() {
      isCut = true;
      await store.cluster.kill(0);
    },
    async heal() {
      if (isCut) await store.cluster.restart(0);
      isCut = false;
      await store.bring();
    },
    async tamper(digest, bytes) {
      const subject = partSubject(point, digest, 0);
      await (bytes === null ? purged(t, store, subject) : written(t, store, subject, bytes));
    },
    reports: () => store.reports.map(({ report }) => report as never),
    misbehave: {
      'not JSON': () => write('no head'),
      'half a head': () => write(JSON.stringify(world.head(point)).slice(0, 500)),
      huge: () => write(new Uint8Array(60_000).fill(0x20)),
      'deep nesting': () => write('['.repeat(30_000)),
    },
  } satisfies Stage;
});

/** With the rights of the store: what a stolen one can do. */
async function asStore<T>(store: NatsStore, work: (connection: NatsConnection) => Promise<T>): Promise<T> {
  const { storeCredentials } = store;
  if (storeCredentials.kind !== 'password') throw new Error('a password was wanted');
  const { user, password: pass } = storeCredentials;
  const inboxPrefix = natsLayout.STORE_INBOX_PREFIX;
  const connection = await connect({ servers: [...store.cluster.servers], user, pass, inboxPrefix });
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

async function written(t: Test, store: NatsStore, subject: string, bytes: Uint8Array | string): Promise<void> {
  const own = headers();
  own.set(PARTS_HEADER, '1');
  own.set(BYTES_HEADER, String(bytes.length));
  const answer = await asStore(store, (it) => it.request(subject, bytes, { timeout: 5_000, headers: own }));
  t.notMatch(answer.json(), { error: Object }, `written: ${digestOf(bytes).slice(0, 8)}`);
}

async function purged(t: Test, store: NatsStore, filter: string): Promise<void> {
  const api = '$JS.API.STREAM.PURGE.OBJ_edgeward_blobs';
  const answer = await asStore(store, (it) => it.request(api, JSON.stringify({ filter }), { timeout: 20_000 }));
  t.match(answer.json(), { success: true });
}
