/** Prefixes in place of sources hold whoever is to go, and nobody who is to stay. */
import { parseAddress, parseCidr } from '@edgeward/policy';
import fc from 'fast-check';
import t from 'tap';
import { search } from '../../policy/test/runs.ts';
import { prefixesOf } from '../driver/source-prefixes.ts';

const isIn = (prefix: string, address: string): boolean => {
  const interval = parseCidr(prefix.includes('/') ? prefix : `${prefix}/${prefix.includes(':') ? 128 : 32}`);
  if (interval === null || interval === 'host-bits') throw new Error(`no prefix: ${prefix}`);
  const key = parseAddress(address) ?? '';
  return key.length === interval.lo.length && interval.lo <= key && key <= interval.hi;
};

t.test('as few as can be told apart by whole digits', (t) => {
  const cases: [string, string[], string[], string[]][] = [
    ['nobody', [], ['10.1.0.5'], []],
    ['one', ['10.1.0.5'], [], ['10.1.0.5']],
    ['one beside another', ['10.1.0.5'], ['10.1.0.6'], ['10.1.0.5']],
    ['a network of which nobody stays', ['10.2.0.1', '10.2.7.9', '10.2.255.1'], ['10.1.0.5'], ['10.2.0.0/16']],
    ['far from each other', ['10.2.0.1', '192.0.2.1'], [], ['10.2.0.1', '192.0.2.1']],
    ['IPv6', ['2001:db8:2::1', '2001:db8:2:1::1'], ['2001:db8:1::1'], ['2001:db8:2::/60']],
    ['among both', ['10.1.0.5'], ['10.1.0.5'], ['10.1.0.5']],
  ];
  for (const [name, going, staying, wanted] of cases) t.strictSame(prefixesOf(going, staying), wanted, name);
  const many = Array.from({ length: 10_000 }, (_, n) => `10.${n >> 8}.${n & 255}.7`);
  t.ok(prefixesOf(many, ['192.0.2.1', '11.0.0.1']).length < 8, 'ten thousand of one network');
  t.end();
});

t.test('whoever goes is in one, and nobody who stays', (t) => {
  const near = fc.tuple(fc.nat(3), fc.nat(3), fc.nat(255)).map(([a, b, c]) => `10.${a}.${b}.${c}`);
  const sources = fc.oneof(
    fc.tuple(fc.array(near), fc.array(near)),
    fc.tuple(fc.array(fc.ipV4()), fc.array(fc.ipV4())),
    fc
      .tuple(fc.array(fc.ipV6()), fc.array(fc.ipV6()))
      .map(
        (both) => both.map((some) => some.filter((text) => parseAddress(text)?.length === 32)) as [string[], string[]],
      ),
  );
  const property = fc.property(sources, ([going, others]) => {
    const keys = new Set(going.map(parseAddress));
    const staying = others.filter((text) => !keys.has(parseAddress(text)));
    const prefixes = prefixesOf(going, staying);
    const held = going.every((address) => prefixes.some((prefix) => isIn(prefix, address)));
    return held && !staying.some((address) => prefixes.some((prefix) => isIn(prefix, address)));
  });
  fc.assert(property, search(t, 300));
  t.end();
});
