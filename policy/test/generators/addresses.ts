/**
 * Addresses and CIDRs from a universe so small that they meet, nest and touch, and addresses next to every boundary
 * that a directory draws.
 */
import fc from 'fast-check';
import { type Address, readAddress, readCidr, writeAddress } from '../oracle/addresses.ts';

const IPV4 = [
  '0.0.0.0',
  '9.255.255.255',
  '10.0.0.0',
  '10.0.0.1',
  '10.0.0.2',
  '10.0.0.127',
  '10.0.0.128',
  '10.0.0.255',
  '10.0.1.0',
  '10.0.255.255',
  '10.1.0.0',
  '10.255.255.255',
  '11.0.0.0',
  '127.255.255.255',
  '128.0.0.0',
  '255.255.255.255',
];

const IPV6 = [
  '::',
  '::1',
  '::fffe:ffff:ffff',
  '::1:0:0:0',
  '2001:db7:ffff:ffff:ffff:ffff:ffff:ffff',
  '2001:db8::',
  '2001:db8::1',
  '2001:db8::2',
  '2001:db8::ffff:ffff',
  '2001:db8:0:1::',
  '2001:db8:7fff:ffff::',
  '2001:db8:8000::',
  '2001:db9::',
  'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
];

const IPV4_PREFIXES = [0, 1, 8, 15, 16, 17, 23, 24, 25, 30, 31, 32];
const IPV6_PREFIXES = [0, 1, 16, 31, 32, 33, 48, 64, 80, 96, 112, 126, 127, 128];
const SIZE = { 4: 1n << 32n, 6: 1n << 128n };

const cidrText = (base: string, prefix: number): string => {
  const address = readAddress(base);
  if (address === null) throw new Error(`no address: ${base}`);
  const size = 1n << BigInt((address.family === 4 ? 32 : 128) - prefix);
  return `${writeAddress({ family: address.family, value: (address.value / size) * size })}/${prefix}`;
};

/** An address of a workload; now and then an IPv4-mapped one, which is the IPv4 address. */
export const arbitraryAddress: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...IPV4) },
  { weight: 3, arbitrary: fc.constantFrom(...IPV6) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 1023 }).map((n) => `10.0.${n >> 8}.${n & 255}`) },
  { weight: 1, arbitrary: fc.constantFrom(...IPV4).map((address) => `::ffff:${address}`) },
);

/** Without host bits. None is written as IPv4-mapped: whether such a CIDR may be is not settled by the text. */
export const arbitraryCidr: fc.Arbitrary<string> = fc
  .oneof(
    { weight: 3, arbitrary: fc.tuple(fc.constantFrom(...IPV4), fc.constantFrom(...IPV4_PREFIXES)) },
    { weight: 2, arbitrary: fc.tuple(fc.constantFrom(...IPV6), fc.constantFrom(...IPV6_PREFIXES)) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.nat(1023), fc.integer({ min: 22, max: 32 }))
        .map(([n, prefix]): [string, number] => [`10.0.${n >> 8}.${n & 255}`, prefix]),
    },
  )
  .map(([base, prefix]) => cidrText(base, prefix));

/** Every string in the documents that is an address or a CIDR. */
const rangesIn = (value: unknown): string[] => {
  if (typeof value === 'string') return readAddress(value.split('/')[0] ?? '') === null ? [] : [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(rangesIn);
};

const edgesOf = (range: string): Address[] => {
  const { family, first, last } = readCidr(range);
  return [first - 1n, first, last, last + 1n]
    .filter((value) => value >= 0n && value < SIZE[family])
    .map((value) => ({ family, value }));
};

/** The same address in other words. */
const spellings = (address: Address): string[] => {
  const text = writeAddress(address);
  if (address.family === 6) {
    return [
      text,
      text.toUpperCase(),
      text
        .split(':')
        .map((group) => group.padStart(4, '0'))
        .join(':'),
    ];
  }
  const [high, low] = [address.value >> 16n, address.value & 0xffffn].map((half) => half.toString(16));
  return [text, text, text, `::ffff:${text}`, `::FFFF:${high}:${low}`, `0:0:0:0:0:ffff:${text}`];
};

/** A peer: often one at the first or last address of something in the documents, or right beside it. */
export const arbitraryPeer = (documents: unknown[]): fc.Arbitrary<string> => {
  const edges = rangesIn(documents).flatMap(edgesOf);
  const anywhere = arbitraryAddress;
  if (edges.length === 0) return anywhere;
  const edge = fc.constantFrom(...edges).chain((address) => fc.constantFrom(...spellings(address)));
  return fc.oneof({ weight: 5, arbitrary: edge }, { weight: 1, arbitrary: anywhere });
};
