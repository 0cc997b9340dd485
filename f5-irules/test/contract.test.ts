import t from 'tap';
import { contractTest } from '../../enforcement-point/src/contract-test.ts';
import { makeBigipFixture } from './fixtures/bigip-fixture.ts';

await contractTest(t, makeBigipFixture);
