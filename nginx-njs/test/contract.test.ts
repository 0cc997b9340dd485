import { requireNginx } from '@edgeward/test/kit';
import t from 'tap';
import { contractTest } from '../../enforcement-point/src/contract-test.ts';
import { makeNginxFixture } from './fixtures/nginx-fixture.ts';

await requireNginx(t);
await contractTest(t, makeNginxFixture);
