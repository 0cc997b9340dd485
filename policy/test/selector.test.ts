/** Selectors: what their normal form selects, in both spellings, and which spellings are the same selector. */
import assert from 'node:assert/strict';
import type { Labels } from '@edgeward/policy';
import fc from 'fast-check';
import t from 'tap';
import { openFields } from '../src/field-reader.ts';
import { bitsOf, eachBit, eachWorkload, indexLabels, workloadSetOf } from '../src/label-index.ts';
import type { Workload } from '../src/model.ts';
import { formatSelector, type Selector, selects, unguardedNegations } from '../src/selector.ts';
import { parseSelector } from '../src/selector-parser.ts';
import { readSelector } from '../src/selector-reader.ts';
import { arbitraryLabels, arbitrarySelector } from './generators/selectors.ts';
import { selects as oracleSelects } from './oracle/selectors.ts';
import { search } from './runs.ts';

/** As a policy writes it, in either spelling. */
const read = (written: unknown): Selector => {
  const problems: string[] = [];
  const fields = openFields({ to: structuredClone(written) }, [], ['to'], [], (code, _path, message) => {
    problems.push(`${code}: ${message}`);
  });
  assert.ok(fields);
  const selector = readSelector(fields, 'to');
  assert.deepEqual(problems, []);
  return selector;
};

/** As the core keeps labels: without what every object inherits. */
const bare = (labels: Labels): Labels => Object.assign(Object.create(null), labels);

t.test('a selector selects what the oracle selects, and its printed form is the same selector', async (t) => {
  fc.assert(
    fc.property(arbitrarySelector, fc.array(arbitraryLabels, { minLength: 8, maxLength: 8 }), (written, sets) => {
      const selector = read(written);
      const printed = parseSelector(formatSelector(selector));
      assert.deepEqual(printed, { selector });
      sets.forEach((labels) => {
        assert.equal(selects(selector, bare(labels)), oracleSelects(written, labels), formatSelector(selector));
      });
    }),
    search(t, 1500),
  );
});

const workload = (labels: Labels): Workload => ({
  kind: 'Workload',
  name: 'w',
  labels: bare(labels),
  addresses: [],
  point: null,
  ports: null,
  mode: 'observe',
});

t.test('the index over workloads selects what the oracle selects one by one', async (t) => {
  const many = fc.oneof(
    fc.array(arbitraryLabels, { maxLength: 5 }),
    fc.array(arbitraryLabels, { minLength: 30, maxLength: 70, size: 'max' }),
  );
  fc.assert(
    fc.property(fc.array(arbitrarySelector, { minLength: 1, maxLength: 4 }), many, (written, sets) => {
      const selectors = written.map(read);
      const index = indexLabels(sets.map(workload), selectors);
      selectors.forEach((selector, i) => {
        const found: number[] = [];
        eachBit(index.select(selector), (at) => found.push(at));
        const expected = sets.flatMap((labels, at) => (oracleSelects(written[i] ?? '', labels) ? [at] : []));
        assert.deepEqual(found, expected);
      });
    }),
    search(t, 300),
  );
});

t.test('a set of workloads is who was put into it, however it is kept', async (t) => {
  const kept = { places: 0, bits: 0 };
  const bits = fc.array(fc.nat(0xffffffff), { maxLength: 40 });
  // Most groups name few of many.
  const sparse = fc.array(
    fc.oneof(
      { weight: 20, arbitrary: fc.constant(0) },
      fc.nat(31).map((bit) => 2 ** bit),
    ),
    {
      maxLength: 200,
    },
  );
  fc.assert(
    fc.property(fc.oneof(bits, sparse), (words) => {
      const given = new Uint32Array(words);
      const [expected, found]: [number[], number[]] = [[], []];
      eachBit(given, (at) => expected.push(at));
      const set = workloadSetOf(given);
      eachWorkload(set, (at) => found.push(at));
      assert.deepEqual(found, expected);
      assert.deepEqual([...bitsOf(set, words.length * 32)], words);
      const bytes = (set.places ?? set.bits).byteLength;
      assert.ok(bytes <= given.byteLength);
      kept[set.places === null ? 'bits' : 'places'] += 1;
    }),
    search(t, 300),
  );
  t.ok(kept.places > 0 && kept.bits > 0, 'both ways were taken');
});

const same: { name: string; spellings: unknown[] }[] = [
  {
    name: 'spaces, brackets and order',
    spellings: ["app == 'a' && env == 'b'", "(env=='b')&&((app=='a'))", "env == 'b' && app == 'a' && env == 'b'"],
  },
  {
    name: 'both spellings of a conjunction',
    spellings: [
      "app == 'a' && env in {'x', 'y'} && has(loc) && !has(tmp) && role != 'z'",
      {
        matchLabels: { app: 'a' },
        matchExpressions: [
          { key: 'role', operator: 'NotIn', values: ['z'] },
          { key: 'env', operator: 'In', values: ['y', 'x', 'y'] },
          { key: 'tmp', operator: 'DoesNotExist' },
          { key: 'loc', operator: 'Exists', values: [] },
        ],
      },
    ],
  },
  {
    name: 'a set of one',
    spellings: ["app == 'a'", "app in {'a'}", "app in {'a', 'a'}", { matchLabels: { app: 'a' } }],
  },
  { name: 'a negated comparison', spellings: ["app != 'a'", "!(app == 'a')", "app not in {'a'}", "!!(app != 'a')"] },
  { name: 'De Morgan', spellings: ["!(app == 'a' || has(b))", "app != 'a' && !has(b)"] },
  { name: 'De Morgan the other way', spellings: ["!(app == 'a' && has(b))", "app != 'a' || !has(b)"] },
  {
    name: 'a distributed conjunction',
    spellings: ['has(a) && (has(b) || has(c))', 'has(c) && has(a) || has(a) && has(b)'],
  },
  { name: 'a repeated alternative', spellings: ['has(a) || has(b) || has(a)', 'has(b) || has(a)'] },
  { name: 'everything', spellings: ['all()', 'all() || has(a)', 'all() && all()', '!!all()'] },
  {
    name: 'nothing',
    spellings: ['!all()', 'has(a) && !has(a)', "a == 'x' && a == 'y'", "a == 'x' && a != 'x'", "a == 'x' && !has(a)"],
  },
  {
    name: 'a condition that follows from another',
    spellings: ["a == 'x'", "a == 'x' && has(a)", "a == 'x' && a != 'y'", "a in {'x', 'y'} && a in {'x', 'z'}"],
  },
  { name: 'negations joined', spellings: ["a not in {'x', 'y'}", "a != 'y' && a != 'x'"] },
  {
    name: 'the precedence of ! over && over ||',
    spellings: ['!has(a) && has(b) || has(c)', '((!has(a)) && has(b)) || has(c)'],
  },
];

for (const { name, spellings } of same) {
  t.test(`one selector in several spellings has one normal form: ${name}`, async (t) => {
    const [first, ...others] = spellings.map((it) => formatSelector(read(it)));
    for (const [i, other] of others.entries()) t.equal(other, first, JSON.stringify(spellings[i + 1]));
  });
}

t.test('labels called like what every object inherits are labels like any other', async (t) => {
  for (const key of ['constructor', 'toString', 'hasOwnProperty', 'valueOf']) {
    t.notOk(selects(read(`has(${key})`), bare({})), `has(${key})`);
    t.ok(selects(read(`!has(${key})`), {}), `!has(${key}), also on a plain object`);
    t.ok(selects(read(`${key} == 'x'`), bare({ [key]: 'x' })), `${key} == 'x'`);
    const index = indexLabels([workload({ [key]: 'x' }), workload({})], [read(`has(${key})`)]);
    t.equal(index.select(read(`has(${key})`))[0], 1, 'in the index');
    t.equal(indexLabels([workload({ app: key })], [read(`app == '${key}'`)]).select(read(`app == '${key}'`))[0], 1);
  }
});

t.test('keywords can be labels', async (t) => {
  for (const key of ['in', 'not', 'has', 'all', 'example.com/all']) {
    t.ok(selects(read(`${key} == 'x' && has(${key})`), bare({ [key]: 'x' })), key);
  }
});

t.test('what is no selector says where and why', async (t) => {
  const table: [string, number, RegExp][] = [
    ['', 0, /empty; everything is `all\(\)`/],
    ['   ', 0, /empty/],
    ["app = 'a'", 4, /'=' is not expected/],
    ['app == "a"', 7, /single quotes/],
    ['app == a', 7, /value in single quotes/],
    ["app == 'a' &&", 13, /expected here, not 'the end'/],
    ["app == 'a' env == 'b'", 11, /'env' is not expected/],
    ["(app == 'a'", 11, /'\)' is expected/],
    ["app == 'a')", 10, /'\)' is not expected/],
    ['app in {}', 7, /set of values is empty/],
    ["app in {'a',}", 12, /value in single quotes/],
    ["app in 'a'", 7, /'{' is expected/],
    ["app not 'a'", 8, /'in' is expected after 'not'/],
    ["app contains 'a'", 4, /==, !=, in or not in/],
    ['app', 3, /==, !=, in or not in/],
    ['has()', 4, /not a label key/],
    ['has(app) & has(b)', 9, /'&' is not expected/],
    ["app == 'a b'", 7, /not a label value/],
    ["app == 'a", 7, /not expected/],
    [`app == '${'x'.repeat(64)}'`, 7, /not a label value/],
    ["a..b/x == 'a'", 0, /not a label key/],
    ["app == 'a'; drop", 10, /';' is not expected/],
    ["app == '$(id)'", 7, /not a label value/],
    ["app =~ 'a.*'", 4, /'=' is not expected/],
    ['!', 1, /expected here/],
    ['all(', 4, /'\)' is expected/],
  ];
  for (const [text, at, message] of table) {
    const parsed = parseSelector(text);
    t.match(parsed, { error: message, at }, JSON.stringify(text));
  }
});

t.test('a selector that would fill the memory or the stack is refused', async (t) => {
  const deep = parseSelector(`${'('.repeat(5000)}has(a)${')'.repeat(5000)}`);
  t.match(deep, { error: /nested too deeply/ });
  t.match(parseSelector(`${'!'.repeat(5000)}has(a)`), { error: /nested too deeply/ });
  const pairs = Array.from({ length: 11 }, (_, i) => `(has(a${i}) || has(b${i}))`);
  t.match(parseSelector(pairs.join(' && ')), { error: /too many alternatives/ });
  t.ok('selector' in parseSelector(pairs.slice(1).join(' && ')), '1024 alternatives are still one selector');
});

t.test('a negation is unguarded unless the same alternative asks for the label', async (t) => {
  const table: [string, string[]][] = [
    ["app != 'a'", ['app']],
    ["has(app) && app != 'a'", []],
    ["has(app) && app not in {'a', 'b'}", []],
    ["has(app) || app != 'a'", ['app']],
    ["app == 'b' && env != 'x'", ['env']],
    ["app != 'a' && env != 'x'", ['app', 'env']],
    ['!has(app)', []],
    ["!(app == 'a' || env == 'b')", ['app', 'env']],
  ];
  for (const [text, keys] of table) t.strictSame(unguardedNegations(read(text)), keys, text);
});
