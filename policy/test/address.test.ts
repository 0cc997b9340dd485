/** Addresses and CIDRs as text: against node:net and against big integers. */
import assert from 'node:assert/strict';
import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import { formatAddress, keyFromBytes, parseAddress, parseCidr } from '@edgeward/policy';
import fc from 'fast-check';
import t from 'tap';
import { intervalSize, predecessor, successor } from '../src/address.ts';
import { readAddress, readCidr } from './oracle/addresses.ts';
import { search } from './runs.ts';

const keyOf = (value: bigint, digits: number): string => value.toString(16).padStart(digits, '0');

const arbitraryKey = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }).map((value) => keyOf(value, 8)),
  fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }).map((value) => keyOf(value, 32)),
  // Few bits set: runs of zero groups are where the short form of IPv6 is decided.
  fc
    .array(fc.constantFrom('0000', '0000', '0001', 'ffff', '0db8'), { minLength: 8, maxLength: 8 })
    .map((groups) => groups.join('')),
  fc.constantFrom('00000000', 'ffffffff', '0'.repeat(32), 'f'.repeat(32), `${'0'.repeat(20)}ffff00000001`),
);

/** Text that is nearly an address: pieces of addresses in any order. */
const arbitraryText = fc.oneof(
  { weight: 2, arbitrary: fc.oneof(fc.ipV4(), fc.ipV6(), fc.ipV4Extended()) },
  {
    weight: 3,
    arbitrary: fc
      .array(
        fc.constantFrom(':', '::', '.', '0', '1', '255', '256', '01', 'ffff', 'abcde', 'G', '1.2.3.4', ' ', '%1', '/'),
        {
          maxLength: 17,
        },
      )
      .map((parts) => parts.join('')),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.ipV6(), fc.nat(40), fc.constantFrom('', ':', '.', '0', '::', 'g', '\n'))
      .map(([text, at, more]) => text.slice(0, at) + more + text.slice(at + 1)),
  },
);

t.test('a key written as text reads back as the same key, and node:net reads the same address', async (t) => {
  fc.assert(
    fc.property(arbitraryKey, (key) => {
      // A mapped address is the IPv4 address, so its long key is never given back.
      const folded = key.length === 32 && key.startsWith(`${'0'.repeat(20)}ffff`) ? key.slice(24) : key;
      const text = formatAddress(folded);
      assert.equal(parseAddress(text), folded);
      assert.equal(keyFromBytes(key), folded);
      const address = readAddress(text);
      assert.equal(address === null ? null : keyOf(address.value, address.family === 4 ? 8 : 32), folded);
      const family = folded.length === 8 ? 'ipv4' : 'ipv6';
      const normal = new SocketAddress({ address: text, family }).address;
      // inet_ntop writes `::1.2.3.4` and like old forms with dots; RFC 5952 leaves that open.
      if (!(family === 'ipv6' && normal.includes('.'))) assert.equal(text, normal);
      else assert.equal(parseAddress(normal), folded);
    }),
    search(t, 3000),
  );
});

t.test('a text is an address exactly if node:net and the oracle say so', async (t) => {
  fc.assert(
    fc.property(arbitraryText, (text) => {
      const key = parseAddress(text);
      // node:net accepts a zone (`fe80::1%eth0`), which names no address that a policy could mean.
      const isAddress = isIPv4(text) || (isIPv6(text) && !text.includes('%'));
      assert.equal(key !== null, isAddress, JSON.stringify(text));
      const address = readAddress(text);
      assert.equal(key, address === null ? null : keyOf(address.value, address.family === 4 ? 8 : 32));
    }),
    search(t, 5000),
  );
});

t.test('the gap of an IPv6 address stands for one group at least', async (t) => {
  const table: [string, string | null][] = [
    ['1:2:3:4:5:6:7::', '00010002000300040005000600070000'],
    ['::2:3:4:5:6:7:8', '00000002000300040005000600070008'],
    ['1:2:3::5:6:7:8', '00010002000300000005000600070008'],
    ['1:2:3:4:5:6:1.2.3.4', '00010002000300040005000601020304'],
    ['1:2:3:4:5::1.2.3.4', '00010002000300040005000001020304'],
    ['1:2:3:4:5:6:7:8::', null],
    ['1:2:3:4::5:6:7:8', null],
    ['1:2:3:4:5:6::1.2.3.4', null],
    ['1:2:3:4:5:6:7:1.2.3.4', null],
    ['1:2:3:4:5:6:7', null],
    ['1:2:3:4:5:6:7:8:9', null],
  ];
  for (const [text, key] of table) t.equal(parseAddress(text), key, text);
});

t.test('what is no address is refused', async (t) => {
  const texts = [
    '',
    ' ',
    '10.0.0.1 ',
    '10.0.0.1\n',
    '\n10.0.0.1',
    '010.0.0.1',
    '0x0a.0.0.1',
    '10.1',
    '167772161',
    '1.2.3.4.',
  ];
  const more = [
    '١.2.3.4',
    '::1%eth0',
    '[::1]',
    '::ffff:1.2.3.04',
    '1:2:3:4:5:6:7:8:',
    '::-1',
    '10.0.0.1:443',
    'localhost',
  ];
  for (const text of [...texts, ...more]) t.equal(parseAddress(text), null, JSON.stringify(text));
});

t.test('a CIDR holds exactly the addresses from its first to its last', async (t) => {
  const arbitraryCidr = fc.tuple(arbitraryKey, fc.nat(128)).map(([key, bits]) => {
    const width = key.length * 4;
    const prefix = bits % (width + 1);
    const hostBits = BigInt(width - prefix);
    const value = (BigInt(`0x${key}`) >> hostBits) << hostBits;
    return { value, prefix, digits: key.length };
  });
  fc.assert(
    fc.property(arbitraryCidr, ({ value, prefix, digits }) => {
      const base = keyOf(value, digits);
      const text = `${formatAddress(base)}/${prefix}`;
      const last = keyOf(value + (1n << BigInt(digits * 4 - prefix)) - 1n, digits);
      const mapped = digits === 32 && prefix >= 96 && base.startsWith(`${'0'.repeat(20)}ffff`);
      const lo = mapped ? base.slice(24) : base;
      const hi = mapped ? last.slice(24) : last;
      assert.deepEqual(parseCidr(text), { lo, hi });
      const { first, last: end } = readCidr(text);
      assert.deepEqual(
        [first, end].map((it) => keyOf(it, mapped ? 8 : digits)),
        [lo, hi],
        'and the oracle agrees',
      );
    }),
    search(t, 2000),
  );
});

t.test('a CIDR with host bits, or with a prefix that is none, is told apart', async (t) => {
  const table: [string, ReturnType<typeof parseCidr>][] = [
    ['192.0.2.1/24', 'host-bits'],
    ['192.0.2.128/24', 'host-bits'],
    ['192.0.2.129/25', 'host-bits'],
    ['2001:db8::1/64', 'host-bits'],
    ['::1/0', 'host-bits'],
    ['::ffff:0:0/95', 'host-bits'],
    ['192.0.2.1', { lo: 'c0000201', hi: 'c0000201' }],
    ['192.0.2.1/32', { lo: 'c0000201', hi: 'c0000201' }],
    ['192.0.2.128/25', { lo: 'c0000280', hi: 'c00002ff' }],
    ['0.0.0.0/0', { lo: '00000000', hi: 'ffffffff' }],
    ['::ffff:192.0.2.0/120', { lo: 'c0000200', hi: 'c00002ff' }],
    ['::ffff:0.0.0.0/96', { lo: '00000000', hi: 'ffffffff' }],
    ['::/0', { lo: '0'.repeat(32), hi: 'f'.repeat(32) }],
    ...[
      '192.0.2.0/33',
      '192.0.2.0/',
      '192.0.2.0/024',
      '192.0.2.0/-1',
      '192.0.2.0/24/8',
      '::/129',
      '/24',
      '192.0.2/24',
    ].map((text): [string, null] => [text, null]),
  ];
  for (const [text, expect] of table) t.strictSame(parseCidr(text), expect, text);
});

t.test('neighbours and sizes are those of the numbers', async (t) => {
  fc.assert(
    fc.property(arbitraryKey, (key) => {
      const value = BigInt(`0x${key}`);
      const size = 1n << BigInt(key.length * 4);
      assert.equal(successor(key), value + 1n === size ? null : keyOf(value + 1n, key.length));
      assert.equal(predecessor(key), value === 0n ? null : keyOf(value - 1n, key.length));
      const counted = intervalSize({ lo: '0'.repeat(key.length), hi: key });
      const exact = Number(value + 1n);
      if (value < 2n ** 53n) assert.equal(counted, exact);
      else assert.ok(Math.abs(counted / exact - 1) < 1e-15);
    }),
    search(t, 2000),
  );
});
