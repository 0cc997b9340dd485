/** Ports as text, and sets of ranges against sets that list every port. */
import assert from 'node:assert/strict';
import { formatPortRange, type PortRange, parsePort } from '@edgeward/policy';
import fc from 'fast-check';
import t from 'tap';
import { EVERY_PORT, includesPort, intersectPorts, normalisePorts, parsePortRange } from '../src/ports.ts';
import { search } from './runs.ts';

t.test('a port and a range are read as they are written, and nothing else is', async (t) => {
  const table: [string, ReturnType<typeof parsePortRange>][] = [
    ['tcp/1', { protocol: 'tcp', from: 1, to: 1 }],
    ['udp/9', { protocol: 'udp', from: 9, to: 9 }],
    ['tcp/65535', { protocol: 'tcp', from: 65535, to: 65535 }],
    ['tcp/1-1', { protocol: 'tcp', from: 1, to: 1 }],
    ['udp/1-65535', { protocol: 'udp', from: 1, to: 65535 }],
    ['tcp/9-90', { protocol: 'tcp', from: 9, to: 90 }],
    ['tcp/2-1', 'upside-down'],
    ...[
      'tcp/0',
      'tcp/65536',
      'tcp/1-65536',
      'tcp/65536-65537',
      'tcp/0-1',
      'tcp/1-0',
      'tcp/100000',
      'tcp/1-',
      'tcp/-1',
    ].map((text): [string, null] => [text, null]),
    ...[
      'tcp/01',
      'tcp/1-02',
      'tcp',
      '/1',
      'tcp/',
      'icmp/1',
      'TCP/1',
      ' tcp/1',
      'tcp/1 ',
      'tcp/1\n',
      'tcp/1-2-3',
      '',
    ].map((text): [string, null] => [text, null]),
  ];
  for (const [text, range] of table) {
    t.strictSame(parsePortRange(text), range, JSON.stringify(text));
    const single = typeof range === 'object' && range !== null && range.from === range.to;
    t.strictSame(parsePort(text), single ? { protocol: range.protocol, number: range.from } : null);
  }
  t.strictSame(
    ['tcp/1-1', 'udp/1-2'].map((text) => formatPortRange(parsePortRange(text) as PortRange)),
    ['tcp/1', 'udp/1-2'],
  );
});

const arbitraryRanges = fc.array(
  fc
    .tuple(fc.constantFrom('tcp' as const, 'udp' as const), fc.integer({ min: 1, max: 30 }), fc.nat(8))
    .map(([protocol, from, more]): PortRange => ({ protocol, from, to: Math.min(from + more, 30) })),
  { maxLength: 8 },
);

const EVERY = (['tcp', 'udp'] as const).flatMap((protocol) =>
  Array.from({ length: 32 }, (_, number) => ({ protocol, number })),
);
const listed = (ranges: PortRange[]): string[] =>
  EVERY.filter(({ protocol, number }) =>
    ranges.some((range) => range.protocol === protocol && range.from <= number && number <= range.to),
  ).map(({ protocol, number }) => `${protocol}/${number}`);

/** tcp before udp, ascending, with a gap between any two. */
const isNormal = (ranges: PortRange[]): boolean =>
  ranges.every(({ protocol, from, to }, i) => {
    const next = ranges[i + 1];
    return (
      from <= to &&
      (next === undefined || protocol < next.protocol || (protocol === next.protocol && to + 1 < next.from))
    );
  });

t.test('normalised ranges hold the same ports, sorted and joined', async (t) => {
  fc.assert(
    fc.property(arbitraryRanges, (ranges) => {
      const before = structuredClone(ranges);
      const normal = normalisePorts(ranges);
      assert.deepEqual(ranges, before, 'what was given is left as it was');
      assert.deepEqual(listed(normal), listed(ranges));
      assert.ok(isNormal(normal), JSON.stringify(normal));
    }),
    search(t, 500),
  );
});

t.test('the ports that two lists share are those that both hold', async (t) => {
  fc.assert(
    fc.property(arbitraryRanges, arbitraryRanges, (one, other) => {
      const shared = intersectPorts(one, other);
      const held = new Set(listed(other));
      assert.deepEqual(
        listed(shared),
        listed(one).filter((port) => held.has(port)),
      );
      assert.ok(isNormal(shared), JSON.stringify(shared));
      EVERY.forEach((port) => {
        assert.equal(includesPort(one, port), listed(one).includes(`${port.protocol}/${port.number}`));
      });
    }),
    search(t, 300),
  );
});

t.test('every port is from 1 to 65535, of both protocols', async (t) => {
  t.strictSame(EVERY_PORT.map(formatPortRange), ['tcp/1-65535', 'udp/1-65535']);
});
