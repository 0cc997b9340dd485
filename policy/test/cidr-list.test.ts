/** One spelling for a set of addresses. */
import assert from 'node:assert/strict';
import { cidrsOf, type Interval, parseCidrs, union } from '@edgeward/policy';
import fc from 'fast-check';
import t from 'tap';
import { arbitraryCidr } from './generators/addresses.ts';
import { search } from './runs.ts';

const range = (lo: string, hi: string): Interval => ({ lo, hi });

t.test('a set of addresses is the fewest CIDRs, sorted, IPv4 first', async (t) => {
  const table: [string, Interval[], string[]][] = [
    ['nothing', [], []],
    ['one address', [range('0a000001', '0a000001')], ['10.0.0.1/32']],
    ['halves', [range('0a000080', '0a0000ff'), range('0a000000', '0a00007f')], ['10.0.0.0/24']],
    ['a ragged range', [range('0a000001', '0a000006')], ['10.0.0.1/32', '10.0.0.2/31', '10.0.0.4/31', '10.0.0.6/32']],
    ['all of IPv4', [range('00000000', 'ffffffff')], ['0.0.0.0/0']],
    ['all of IPv6', [range('0'.repeat(32), 'f'.repeat(32))], ['::/0']],
    ['the last address', [range('ffffffff', 'ffffffff')], ['255.255.255.255/32']],
    ['both families', [range('0'.repeat(32), 'f'.repeat(32)), range('0a000000', '0affffff')], ['10.0.0.0/8', '::/0']],
  ];
  for (const [name, intervals, cidrs] of table) t.strictSame(cidrsOf(intervals), cidrs, name);
});

t.test('lists that hold the same addresses become the same list, which is read as it was', async () => {
  fc.assert(
    fc.property(fc.array(arbitraryCidr, { maxLength: 6 }), (cidrs) => {
      const intervals = parseCidrs(cidrs);
      assert.ok(intervals);
      const written = cidrsOf(intervals);
      assert.deepEqual(parseCidrs(written), intervals);
      assert.deepEqual(cidrsOf(union(intervals.toReversed())), written);
      for (const one of written) {
        const rest = written.filter((it) => it !== one);
        assert.notDeepEqual(parseCidrs(rest), intervals, 'none is one too many');
      }
    }),
    search(t, 300),
  );
});

t.test('what is no CIDR makes no list', async (t) => {
  for (const bad of ['10.0.0.1/24', 'x', '10.0.0.0/33', '']) t.equal(parseCidrs(['10.0.0.0/8', bad]), null, bad);
});
