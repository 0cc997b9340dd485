import { canonicalJson, parseCanonical } from '@edgeward/policy-format';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import t from 'tap';

const runs = 200 * Number(process.env.EDGEWARD_RUNS ?? 1);

/** What either way makes of a value: its text, or that it can't be written. */
function outcome(write: (value: unknown) => string | undefined, value: unknown): string {
  try {
    return write(value) ?? 'nothing';
  } catch {
    return 'nothing';
  }
}

const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constantFrom('\ud800', '"', '\\', '\u2028', ''));
const key = fc.oneof(
  text,
  fc.nat({ max: 20 }).map(String),
  fc.constantFrom('__proto__', 'toJSON', 'é', '\ue000', '😀'),
);
const leaf = fc.oneof(text, fc.double(), fc.integer(), fc.boolean(), fc.constantFrom(null, undefined, -0, 1e21));
const value = fc.letrec((tie) => ({
  any: fc.oneof({ maxDepth: 5 }, leaf, fc.array(tie('any'), { maxLength: 5 }), tie('mapping')),
  mapping: fc.uniqueArray(fc.tuple(key, tie('any')), { maxLength: 6, selector: ([it]) => it }).map(Object.fromEntries),
})).any;

t.test('any value is written as the reference implementation writes it', async (t) => {
  const seed = Number(process.env.EDGEWARD_SEED ?? Date.now() % 2 ** 31);
  t.comment(`seed ${seed}`);
  fc.assert(
    fc.property(value, (it) => outcome(canonicalJson, it) === outcome(canonicalize, it)),
    { numRuns: runs * 5, seed },
  );
});

t.test('so are values that are no plain JSON', async (t) => {
  const deep = Array.from({ length: 100 }).reduce<unknown>((inner) => ({ b: inner, a: [inner === 0] }), 0);
  const values: [name: string, value: unknown][] = [
    ['a date', { at: new Date(0) }],
    ['what says itself how it is written', { b: 1, a: { toJSON: () => 'x' } }],
    ['boxed values', [new String('x'), new Number(1)]],
    ['holes', Object.assign(new Array(2), { 1: 1 })],
    ['keys that are numbers', { 9: 1, 10: 2, a: 3 }],
    ['nothing among keys', { b: undefined, a: 1 }],
    ['an object without a prototype', Object.assign(Object.create(null), { b: 1, a: 2 })],
    ['deeply nested', deep],
    ['a function', { a: () => 1 }],
  ];
  for (const [name, value] of values) t.equal(outcome(canonicalJson, value), outcome(canonicalize, value), name);
});

t.test('writing changes nothing of what is written', async (t) => {
  const value = { b: [{ z: 1, y: 2 }], a: 'x' };
  t.equal(canonicalJson(value), '{"a":"x","b":[{"y":2,"z":1}]}');
  t.strictSame(Object.keys(value), ['b', 'a']);
  t.strictSame(Object.keys(value.b[0] ?? {}), ['z', 'y']);
});

t.test('nothing but canonical bytes is read', async (t) => {
  const good = ['{"a":1,"b":[true,null,"x"]}', '{"10":1,"9":2}', '"é"', '{"a":{}}'];
  const bad = [
    '{"b":1,"a":2}',
    '{"a":1,"a":1}',
    '{"a": 1}',
    '[1e400]',
    '"\\ud800"',
    '-0',
    '{"9":2,"10":1}',
    '1.0',
    '"\\u0041"',
  ];
  for (const text of good) t.strictSame(parseCanonical(Buffer.from(text), 'it', 100), JSON.parse(text), text);
  for (const text of bad)
    t.throws(() => parseCanonical(Buffer.from(text), 'it', 100), { code: 'EDW_ERR_FORMAT_NOT_CANONICAL' }, text);
});

t.test('a text is read if and only if the reference implementation writes what it says as it stands', async (t) => {
  const escaped = (it: string): string =>
    it.replace(/[^ -~]/g, (at) => `\\u${at.charCodeAt(0).toString(16).padStart(4, '0')}`);
  const spellings: ((value: unknown) => string)[] = [
    (it) => outcome(canonicalize, it),
    (it) => JSON.stringify(it) ?? '',
    (it) => escaped(JSON.stringify(it) ?? ''),
    (it) => outcome(canonicalize, it).replace('":', '": '),
    (it) => outcome(canonicalize, it).replace(/\d/, '$&.0'),
    (it) => outcome(canonicalize, it).replace(/"[^"]*":[^,}]*,/, '$&$&'),
  ];
  const isGood = (text: string): boolean => {
    try {
      return canonicalize(JSON.parse(text)) === text && !text.includes('"__proto__"');
    } catch {
      return false;
    }
  };
  const isRead = (text: string): boolean => {
    try {
      parseCanonical(Buffer.from(text), 'it', 1e6);
      return true;
    } catch {
      return false;
    }
  };
  const seed = Number(process.env.EDGEWARD_SEED ?? Date.now() % 2 ** 31);
  t.comment(`seed ${seed}`);
  fc.assert(
    fc.property(value, fc.constantFrom(...spellings), (it, spell) => isRead(spell(it)) === isGood(spell(it))),
    { numRuns: runs * 5, seed },
  );
});
