import t from 'tap';
import { countUnwritten } from '../src/unwritten-denials.ts';

t.test('what an NGINX could not write adds up over its lives', async (t) => {
  const unwritten = countUnwritten();
  const readings: [epoch: string | null, total: number, sum: number][] = [
    ['a', 0, 0],
    ['a', 3, 3],
    ['a', 3, 3],
    ['b', 0, 3],
    ['b', 4, 7],
    ['c', 9, 16],
  ];
  for (const [epoch, total, sum] of readings) {
    unwritten.read('edge-1', epoch, total);
    t.equal(unwritten.totals().get('edge-1'), sum);
  }
  unwritten.read('edge-2', null, 5);
  unwritten.read('edge-2', null, 2);
  t.strictSame(
    [...unwritten.totals()],
    [
      ['edge-1', 16],
      ['edge-2', 7],
    ],
    'without a name, one that fell began anew',
  );
});
