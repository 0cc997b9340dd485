/** Equal denials become one, whoever folded some of them before; what is sent of one says its number beside it. */
import { denialText } from '@edgeward/deny-log';
import t from 'tap';
import { denyRecord, t0 } from '../../deny-log/test/lines.ts';
import { folded } from '../src/equal-denials.ts';

t.test('counts add up, and the window is that of the first and the last', async (t) => {
  const one = (ms: number, ref: string): ReturnType<typeof denyRecord> => denyRecord({ t: t0 + ms, ref, peerPort: ms });
  const flood = (ms: number, ref: string): ReturnType<typeof denyRecord> => ({
    ...one(ms, ref),
    ...{ count: 480, firstMs: t0 + ms - 9_999 },
  });
  const other = denyRecord({ path: '/other', ref: 'o' });
  t.strictSame(folded([one(1, 'a'), other]), [one(1, 'a'), other], 'what is one stays as it was');
  const counts = { count: 962, firstMs: t0 + 1 };
  t.strictSame(folded([one(1, 'a'), flood(10_000, 'b'), other, one(10_100, 'c'), flood(20_000, 'd')]), [
    { ...flood(20_000, 'd'), ...counts },
    other,
  ]);
});

t.test('a record of a batch says its number beside the denial, which is read by every version', async (t) => {
  const sent = (record: ReturnType<typeof denyRecord>): unknown => JSON.parse(denialText(record));
  t.strictSame(sent(denyRecord()), { kind: 'denial', denial: denyRecord() });
  const flood = { count: 480, firstMs: t0 - 9_999 };
  t.strictSame(sent({ ...denyRecord(), ...flood }), { kind: 'denial', denial: denyRecord(), ...flood });
});
