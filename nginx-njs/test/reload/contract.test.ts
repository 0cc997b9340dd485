import { requireNginx } from '@edgeward/test/kit';
import t from 'tap';
import { contractTest } from '../../../enforcement-point/src/contract-test.ts';
import { makeReloadFixture } from './reload-fixture.ts';

await requireNginx(t, 'debian-12', 'debian-13');

// Most of it is waiting for workers to be replaced.
t.jobs = 2;
for (const edition of ['debian-12', 'debian-13'] as const)
  t.test(`NGINX of ${edition} without njs keeps the contract of drivers`, { buffered: true }, (t) =>
    contractTest(t, () => makeReloadFixture({ edition, workers: 1 })),
  );
