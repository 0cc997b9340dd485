import t from 'tap';
import { contractTest } from '../../enforcement-point/src/contract-test.ts';
import { makeBigipFixture } from './fixtures/bigip-fixture.ts';

await t.test('one box', (t) => contractTest(t, () => makeBigipFixture(1)));
await t.test('a pair', (t) => contractTest(t, () => makeBigipFixture(2)));
