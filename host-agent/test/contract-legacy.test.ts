import { requireHosts } from '@edgeward/test/kit';
import t from 'tap';
import { contractTest } from '../../enforcement-point/src/contract-test.ts';
import { makeHostFixture } from './fixtures/host-fixture.ts';

requireHosts(t);
await contractTest(t, () => makeHostFixture('legacy'));
