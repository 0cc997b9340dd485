/**
 * The vectors against the oracle. Both were written by hand from the specification; where they differ one of them is
 * wrong, and the specification says which.
 */
import t from 'tap';
import { vectorFiles, vectorsOf } from '../vector-files.ts';
import { type Address, readAddress, readCidr, writeAddress } from './addresses.ts';
import { oracle } from './oracle.ts';
import { selects } from './selectors.ts';

for (const file of vectorFiles) {
  t.test(`the oracle agrees with the vectors of ${file}`, async (t) => {
    for (const { name, policy, now, connection, expect } of vectorsOf(file)) {
      t.strictSame(oracle(policy, now, connection), expect, name);
    }
  });
}

t.test(
  'every vector has a name of its own, and every reason that decide can give for a policy has a vector',
  async (t) => {
    const vectors = vectorFiles.flatMap(vectorsOf);
    const names = vectors.map(({ name }) => name);
    t.same(
      names.filter((name, index) => names.indexOf(name) !== index),
      [],
    );
    t.ok(vectors.length >= 150, `${vectors.length} vectors`);
    t.strictSame([...new Set(vectors.map(({ expect }) => expect.reason))].sort(), [
      'allowed-by-rule',
      'bad-request',
      'denied-by-rule',
      'failsafe',
      'mode-off',
      'port-not-allowed',
      'request-not-allowed',
      'unknown-object',
      'unknown-source',
    ]);
  },
);

t.test('the oracle reads addresses in every textual form and nothing else', async (t) => {
  const v4 = (value: bigint): Address => ({ family: 4, value });
  const v6 = (value: bigint): Address => ({ family: 6, value });
  const table: [string, Address | null][] = [
    ['0.0.0.0', v4(0n)],
    ['255.255.255.255', v4(0xffffffffn)],
    ['::', v6(0n)],
    ['::1', v6(1n)],
    ['1::', v6(1n << 112n)],
    ['1:2:3:4:5:6:7:8', v6(0x00010002000300040005000600070008n)],
    ['1:2:3:4:5:6:1.2.3.4', v6(0x00010002000300040005000601020304n)],
    ['1::8', v6((1n << 112n) + 8n)],
    ['1:2:3:4:5:6:7::', v6(0x00010002000300040005000600070000n)],
    ['::ffff:1.2.3.4', v4(0x01020304n)],
    ['::FFFF:102:304', v4(0x01020304n)],
    ['::1.2.3.4', v6(0x01020304n)],
    ['', null],
    ['1.2.3', null],
    ['1.2.3.256', null],
    ['1.2.3.04', null],
    ['1.2.3.4.5', null],
    ['1.2.3.4:80', null],
    [':', null],
    [':::', null],
    ['1::2::3', null],
    ['1:2:3:4:5:6:7', null],
    ['1:2:3:4:5:6:7:8:9', null],
    ['1:2:3:4:5:6:7:8::', null],
    ['12345::', null],
    ['1.2.3.4::', null],
    ['::1%eth0', null],
    ['unknown', null],
  ];
  for (const [text, address] of table) {
    t.strictSame(readAddress(text), address, text === '' ? 'an empty text' : text);
    if (address !== null) t.strictSame(readAddress(writeAddress(address)), address, `${text} written and read again`);
  }
  t.strictSame(readCidr('10.0.0.0/30'), { family: 4, first: 0x0a000000n, last: 0x0a000003n });
  t.strictSame(readCidr('::/0'), { family: 6, first: 0n, last: (1n << 128n) - 1n });
  t.strictSame(readCidr('::ffff:0.0.0.0/96'), { family: 4, first: 0n, last: 0xffffffffn });
});

t.test('the oracle refuses to guess at a selector that it cannot read', async (t) => {
  for (const selector of ['', 'app', "app == 'a' &&", "app ~ 'a'", "(app == 'a'", "app == 'a')", "app in 'a'"]) {
    t.throws(() => selects(selector, { app: 'a' }), selector === '' ? 'an empty text' : selector);
  }
});
