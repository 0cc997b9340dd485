/** What a person's machine remembers of a store, when they pin a later trust root of it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createSignedWorld } from '@edgeward/test/kit';
import t from 'tap';
import type { StoreClient } from '../src/store/client/store-client.ts';
import { openTrusted, type TrustedStore } from '../src/store/trust/trusted-store.ts';

t.test(
  'a trust root that is pinned later contradicts nothing that was seen before it, and hides nothing',
  async (t) => {
    const world = await createSignedWorld();
    const file = join(t.testdir({}), 'root.json');
    const pin = (version: number): void => writeFileSync(file, JSON.stringify(world.rootDocument(version)));
    const client = {
      root: async (version: number) => world.rootDocument(version),
      version: async () => null,
    } as unknown as StoreClient;
    const open = (): Promise<TrustedStore> => openTrusted(client, file, { confirmed: null, nowMs: world.nowMs });
    pin(1);
    t.match(await open(), { roots: { newest: { version: 1 } } });
    await world.changeRoot((root) => root);
    await world.changeRoot((root) => root);
    pin(3);
    const remembered = readFileSync(`${file}.seen`, 'utf8');
    t.match(await open(), { roots: { pinned: { version: 3 }, newest: { version: 3 } }, previous: null });
    writeFileSync(`${file}.seen`, remembered.replace(/"digest":"[0-9a-f]{64}"/, `"digest":"${'ab'.repeat(32)}"`));
    await t.rejects(open(), { code: 'EDW_ERR_STORE_TAMPERED', message: /another version 1 of the trust root/ });
  },
);
