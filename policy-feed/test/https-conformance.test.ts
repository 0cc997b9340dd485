import { createLogger } from '@edgeward/runtime';
import t from 'tap';
import { createHttpsTransport } from '../src/index.ts';
import { transportConformance } from './conformance.ts';
import { MISBEHAVIOUR } from './fixtures/misbehaviour.ts';
import { openSmallStore } from './fixtures/small-store.ts';

const logger = createLogger({ level: 'silent' });

await transportConformance(t, 'https', async (t) => {
  const store = await openSmallStore(t);
  const transport = createHttpsTransport({ url: store.url, tls: store.tls, logger, callMs: 2_000 });
  t.teardown(() => transport.close());
  const told = (step: () => Promise<void>) => async () => {
    await step();
    store.wake();
  };
  return {
    transport,
    pinned: store.world.pinned,
    point: store.point,
    unknownPoint: 'edge-99',
    clock: store.clock,
    change: told(store.change),
    decide: told(store.decide),
    head: () => store.world.head(store.point),
    cut: store.cut,
    heal: store.heal,
    tamper: async (digest, bytes) => void store.tampered.set(digest, bytes),
    reports: () => store.reports,
    hush: async () => {
      store.hushed = true;
    },
    misbehave: Object.fromEntries(
      Object.entries(MISBEHAVIOUR).map(([how, handler]) => [
        how,
        async () => {
          store.instead = handler;
        },
      ]),
    ),
  };
});
