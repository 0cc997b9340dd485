/** The suite that every transport is held to, with this store at the far side: real TLS, real files, a real process's parts. */

import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createHttpsTransport } from '@edgeward/policy-feed';
import { createLogger, systemClock } from '@edgeward/runtime';
import t from 'tap';
import { transportConformance } from '../../policy-feed/test/conformance.ts';
import { crms, openServedStore, shopBundle } from './serving-kit.ts';

const logger = createLogger({ level: 'silent' });

await transportConformance(t, 'the store', async (t) => {
  const served = await openServedStore(t);
  const point = 'edge-1';
  let members = 5;
  let version = 1;
  await served.inventory(...crms(members));
  await served.publish(shopBundle([point, 'edge-2']));
  const { cert, key, ca } = await served.certificates.point(point, 'edge-99');
  const url = `https://127.0.0.1:${served.store.port}`;
  const transport = createHttpsTransport({ url, tls: { cert, key, ca }, logger, callMs: 2_000 });
  t.teardown(() => transport.close());
  let away = false;
  return {
    transport,
    pinned: served.made.signed,
    point,
    unknownPoint: 'edge-99',
    clock: systemClock,
    async change() {
      members += 1;
      if (!away) await served.inventory(...crms(members));
    },
    async decide() {
      version += 1;
      await served.publish(shopBundle([point, 'edge-2'], `crm-${version}`));
    },
    head: () => {
      const found = served.store.publishing.point(point);
      if (found === null) throw new Error('nothing is published');
      return found.signed;
    },
    async cut() {
      away = true;
      await served.stop();
    },
    async heal() {
      if (!away) return;
      away = false;
      await served.start();
      await served.inventory(...crms(members));
    },
    async tamper(digest, bytes) {
      const file = join(served.dir, 'mirror/blobs/sha256', digest);
      if (bytes === null) rmSync(file, { force: true });
      else writeFileSync(file, bytes);
    },
    reports: () =>
      served.store.reports
        .of(point)
        .map(({ report }) => report)
        .reverse(),
  };
});
