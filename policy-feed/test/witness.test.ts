import { digestOf } from '@edgeward/policy-format';
import t from 'tap';
import { sealed } from '../src/state/memory.ts';
import { type Witness, witnessed } from '../src/state/witness.ts';

const HOUR_MS = 3_600_000;
const checkpoint = (size: number, history = 'honest') => ({ size, hash: digestOf(`${history} ${size}`) });

function after(hours: number, eachHour: number): Witness {
  let witness = witnessed(null, 1, checkpoint(1), 0);
  for (let at = 1; at <= hours * eachHour; at += 1)
    witness = witnessed(witness, 1, checkpoint(1 + at), (at * HOUR_MS) / eachHour);
  return witness;
}

t.test('a record that was rewritten and is longer than before is contradicted by what was seen earlier', async (t) => {
  const before = after(5, 3);
  const rewritten = witnessed(before, 1, checkpoint(999, 'rewritten'), 6 * HOUR_MS);
  t.equal(rewritten.contradicted, null, 'a longer one contradicts nothing by itself');
  t.ok(rewritten.earlier.length >= 4);
  for (const { size, hash } of rewritten.earlier)
    t.strictSame({ size, hash }, checkpoint(size), 'and here is what was');
});

t.test('a year of heads is a few checkpoints, the oldest among them, and many heads crowd out none', async (t) => {
  const { earlier } = after(24 * 365, 2);
  t.ok(earlier.length > 16 && earlier.length <= 48, `${earlier.length}`);
  t.equal(earlier[0]?.size, 1, 'the first is there for ever');
  t.ok(
    earlier.every(({ size }, at) => at === 0 || size > (earlier[at - 1]?.size ?? 0)),
    'in order',
  );
  let flooded = after(3, 1);
  const known = flooded.earlier.length;
  for (let size = 1_000; size < 3_000; size += 1) flooded = witnessed(flooded, 1, checkpoint(size), 3 * HOUR_MS + size);
  t.ok(flooded.earlier.length <= known + 1);
});

t.test('what is witnessed fits beside the floor', async (t) => {
  const floor = {
    ...{ epoch: 1, revision: 1, stateRoot: digestOf('a'), issuedAt: new Date(0).toISOString(), head: digestOf('b') },
    newest: { version: 1, digest: digestOf('c'), previous: null, returnUntil: null },
    accepted: Array.from({ length: 16 }, (_, i) => digestOf(`${i}`)),
  };
  t.ok(JSON.stringify(sealed({ floor, witness: after(24 * 365, 1) })).length < 16 * 1024);
});
