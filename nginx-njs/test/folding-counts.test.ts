/**
 * What is folded adds up, whatever the order in which workers, clocks and failures come: on the module's own code, and a
 * dictionary that is as full as it likes. Time is a number here.
 */
import fc from 'fast-check';
import t from 'tap';
import { runs, seed } from '../../test/parity/random-runs.ts';
import {
  type Foldable,
  type Folding,
  type FoldZone,
  fold,
  foldedIn,
  foldNamed,
  foldUnwritten,
  namesOver,
  putBack,
  refOf,
  takeFolded,
} from '../src/folding.ts';

const page = 4096;

/** Holds so many keys. `refused` counts what would be lines in NGINX's error log. */
function zoneOf(keys: number): FoldZone & { refused: number; size(): number } {
  const held = new Map<string, number>();
  const make = (key: string, value: number): void => {
    if (held.size >= keys) {
      zone.refused += 1;
      throw new Error('full');
    }
    held.set(key, value);
  };
  const zone = {
    refused: 0,
    size: () => held.size,
    capacity: keys * page,
    freeSpace: () => (keys - held.size) * page,
    get: (key: string) => held.get(key),
    add: (key: string, value: number) => {
      if (!held.has(key)) make(key, value);
      return true;
    },
    incr: (key: string, delta: number, init: number) => {
      if (!held.has(key)) make(key, init);
      const value = (held.get(key) ?? 0) + delta;
      held.set(key, value);
      return value;
    },
    pop: (key: string) => {
      const value = held.get(key);
      held.delete(key);
      return value;
    },
    delete: (key: string) => held.delete(key),
    keys: () => [...held.keys()],
    items: () => [...held],
  };
  return zone;
}

const denial = (overrides: Partial<Foldable> = {}): Foldable => ({
  object: 'order-front',
  port: 'tcp/443',
  source: '192.0.2.1',
  verdict: 'deny',
  reason: 'unknown-source',
  rule: null,
  revision: 7,
  ...overrides,
});

type Step =
  | { kind: 'denial'; denial: Foldable; isUnwritable: boolean }
  | { kind: 'clock'; byMs: number }
  | { kind: 'closing'; isUnwritable: boolean; most: number };

/** What became of them, as `full` lines and as counts by the name of their line. */
interface Told {
  denied: number;
  full: number;
  lost: number;
  /** What waited at the end was what had been shown and not told. */
  waited: boolean;
  shown: Map<string, number>;
  told: Map<string, number>;
}

function run(folding: Folding, steps: readonly Step[]): Told {
  const seen: Told = { denied: 0, full: 0, lost: 0, waited: false, shown: new Map(), told: new Map() };
  const add = (sums: Map<string, number>, name: string, count: number): void => {
    sums.set(name, (sums.get(name) ?? 0) + count);
  };
  const close = (nowMs: number, isUnwritable: boolean, most: number): void => {
    for (const name of namesOver(folding.zone, nowMs).slice(0, most)) {
      const count = takeFolded(folding.zone, name);
      if (count === 0) continue;
      if (isUnwritable) putBack(folding.zone, name, count);
      else add(seen.told, name, count);
    }
  };
  let nowMs = 1_795_353_467_292;
  for (const step of steps) {
    if (step.kind === 'clock') nowMs += step.byMs;
    else if (step.kind === 'closing') close(nowMs, step.isUnwritable, step.most);
    else {
      seen.denied += 1;
      let name = fold(folding, step.denial, nowMs);
      if (name === null && step.isUnwritable) {
        try {
          name = foldUnwritten(folding, step.denial, nowMs);
        } catch {
          seen.lost += 1;
          continue;
        }
      }
      if (name === null) seen.full += 1;
      else add(seen.shown, name, 1);
    }
  }
  seen.waited = foldedIn(folding.zone) === sumOf(seen.shown) - sumOf(seen.told);
  close(nowMs + 1e12, false, Number.POSITIVE_INFINITY);
  return seen;
}

const sumOf = (counts: Map<string, number>): number => [...counts.values()].reduce((sum, count) => sum + count, 0);

const pick = (...words: string[]): fc.Arbitrary<string> => fc.constantFrom(...words);
const denials: fc.Arbitrary<Foldable> = fc.record({
  object: fc.oneof({ weight: 3, arbitrary: pick('order-front', 'a\tb', '') }, fc.string({ maxLength: 8 })),
  port: pick('tcp/443', 'tcp/', 'tcp/4\t43'),
  source: fc.oneof(fc.constant(null), fc.ipV4(), pick('192.0.2.1', '2001:db8::1')),
  verdict: fc.constantFrom('deny' as const, 'would-deny' as const),
  reason: pick('unknown-source', 'unknown-object', 'denied-by-rule'),
  rule: fc.constantFrom(null, 'no-bots'),
  revision: fc.constantFrom(0, 7),
});
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 20,
      arbitrary: fc.record({ kind: fc.constant('denial' as const), denial: denials, isUnwritable: fc.boolean() }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('clock' as const),
        byMs: fc.oneof(fc.integer({ min: 1, max: 12_000 }), fc.integer({ min: -86_400_000, max: 86_400_000 })),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('closing' as const),
        isUnwritable: fc.boolean(),
        most: fc.integer({ min: 1, max: 50 }),
      }),
    },
  ),
  { maxLength: 400 },
);

t.test(
  'whatever the clock, the room and the disk do, each denial is told once, by what its client was shown',
  async (t) => {
    const from = seed();
    t.comment(`seed ${from}`);
    fc.assert(
      fc.property(steps, fc.integer({ min: 8, max: 200 }), fc.integer({ min: 1, max: 5 }), (all, keys, after) => {
        const zone = zoneOf(keys);
        const { denied, full, lost, waited, shown, told } = run({ zone, after, windowMs: 10_000 }, all);
        return (
          waited &&
          full + lost + sumOf(told) === denied &&
          [...shown].every(([name, count]) => told.get(name) === count) &&
          told.size === shown.size &&
          zone.size() === 0
        );
      }),
      { seed: from, numRuns: runs(300) },
    );
  },
);

t.test('a flood finds no dictionary full: of too many sources, or of names that clients made up', async (t) => {
  const floods: [name: string, nth: (n: number) => Partial<Foldable>, waiting: Partial<Foldable>][] = [
    ['sources', (n) => ({ source: `2001:db8::${n.toString(16)}` }), { object: 'order-front', source: null }],
    ['names', (n) => ({ object: `made-up-${n}`, reason: 'unknown-object' }), { object: '', source: null }],
  ];
  for (const [name, nth, waiting] of floods) {
    const zone = zoneOf(400);
    const folding = { zone, after: 2, windowMs: 10_000 };
    let full = 0;
    for (let n = 0; n < 20_000; n += 1) if (fold(folding, denial(nth(n)), 1_000) === null) full += 1;
    t.equal(zone.refused, 0, name);
    t.equal(full, 200, `${name}: lines in full are a hundred times those of one source`);
    const folded = namesOver(zone, 10_000).map((it) => ({ ...foldNamed(it), count: takeFolded(zone, it) }));
    t.equal(
      folded.reduce((sum, { count }) => sum + count, full),
      20_000,
      `${name}: and all of them are told`,
    );
    const most = folded.reduce((a, b) => (b.count > a.count ? b : a));
    t.match(
      most,
      { ...waiting, fromMs: 0, windowMs: 10_000 },
      `${name}: most of them without what there are too many of`,
    );
    t.ok(most.count > 19_000, name);
  }
});

t.test('one object has so many lines, and leaves another one its own', async (t) => {
  const folding = { zone: zoneOf(4_000), after: 2, windowMs: 10_000 };
  const fullOf = (object: string): number => {
    const all = Array.from({ length: 1_000 }, (_, n) => denial({ object, source: `192.0.2.${n % 250}` }));
    return all.filter((it) => fold(folding, it, 5_000) === null).length;
  };
  t.strictSame([fullOf('order-front'), fullOf('other-front')], [200, 200]);
});

t.test('a clock that is set back begins another window, and closes the one before', async (t) => {
  const zone = zoneOf(100);
  const folding = { zone, after: 1, windowMs: 10_000 };
  const at = (nowMs: number): string | null => fold(folding, denial(), nowMs);
  t.strictSame([at(25_000), at(25_001)?.split('\t')[0]], [null, '20000 10000']);
  t.strictSame(namesOver(zone, 29_999), [], 'it is open');
  t.strictSame([at(4_000), at(4_001)?.split('\t')[0]], [null, '0 10000'], 'an hour earlier');
  const over = namesOver(zone, 4_002);
  t.strictSame(
    over.map((name) => [foldNamed(name).fromMs, takeFolded(zone, name)]),
    [[20_000, 1]],
  );
  t.equal(at(26_000), null, 'and where it comes back to, it begins anew');
});

t.test('a name says what was folded, whatever a client put into it', async (t) => {
  const zone = zoneOf(100);
  for (const odd of [
    { object: 'a\tb\t1' },
    { object: '' },
    { port: 'tcp/4\t43' },
    { rule: 'no-bots' },
    { source: null },
  ]) {
    const it = denial(odd);
    fold({ zone, after: 1, windowMs: 10_000 }, it, 1_000);
    const name = fold({ zone, after: 1, windowMs: 10_000 }, it, 1_001) ?? '';
    const port = it.port.includes('\t') ? 'tcp/' : it.port;
    t.strictSame(foldNamed(name), { ...it, port, fromMs: 0, windowMs: 10_000 }, JSON.stringify(odd));
  }
});

t.test('a dictionary without room for anything throws nothing at who asks for a reference', async (t) => {
  t.match(refOf(zoneOf(0), 'a'), /^[0-9a-f]{16}$/);
});

t.test('each line has its own reference, of this NGINX alone', async (t) => {
  const [one, other] = [zoneOf(10), zoneOf(10)];
  const refs = [refOf(one, 'a'), refOf(one, 'a'), refOf(one, 'b'), refOf(other, 'a')];
  t.ok(refs.every((ref) => /^[0-9a-f]{16}$/.test(ref)));
  t.equal(refs[0], refs[1]);
  t.equal(new Set(refs).size, 3);
});
