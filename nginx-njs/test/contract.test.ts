import { onEveryNginx } from '@edgeward/test/kit';
import t from 'tap';
import { contractTest } from '../../enforcement-point/src/contract-test.ts';
import { makeNginxFixture } from './fixtures/nginx-fixture.ts';

const claim = await onEveryNginx(t);

claim('the NGINX driver keeps the contract of drivers', (t, on) => contractTest(t, () => makeNginxFixture(on)));
