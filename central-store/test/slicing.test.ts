/** Slices of a version: the same, wherever they are made. */

import t from 'tap';
import { type Slice, slicesOf } from '../src/bundle/approval-payload.ts';
import { slicesIn } from '../src/proposals/slicing.ts';
import { bundle, CRM, FRONT, policy } from './decisions/world.ts';

const FRONTS = Array.from({ length: 300 }, (_, i) => ({
  ...FRONT,
  name: `front-${i}`,
  bind: `front-${i}`,
  point: `edge-${i}`,
}));
const MANY = bundle(...FRONTS, policy({ ...CRM, why: 'two\nlines' }));

async function all(documents: Uint8Array, inPlaceBytes: number): Promise<object[]> {
  const found: object[] = [];
  for await (const slice of slicesIn(documents, inPlaceBytes)) found.push(shown(slice));
  return found;
}

const shown = ({ bytes, ...slice }: Slice): object => ({ ...slice, bytes: Buffer.from(bytes).toString() });

t.test('slices that come from a process are those that are made in place', async (t) => {
  const expected = slicesOf(MANY).map(shown);
  t.equal(expected.length, 300);
  for (const [name, inPlaceBytes] of Object.entries({
    'in place': MANY.bytes.length,
    'from a process': MANY.bytes.length - 1,
  }))
    t.strictSame(await all(MANY.bytes, inPlaceBytes), expected, name);
});

t.test('a version without a point has no slices', async (t) => {
  const nobody = bundle(policy());
  for (const inPlaceBytes of [nobody.bytes.length, 0]) t.strictSame(await all(nobody.bytes, inPlaceBytes), []);
});

t.test('documents that are none are refused alike', async (t) => {
  const cut = MANY.bytes.subarray(0, -1);
  for (const inPlaceBytes of [cut.length, 0]) await t.rejects(all(cut, inPlaceBytes), { code: 'EDW_ERR_BUNDLE' });
});
