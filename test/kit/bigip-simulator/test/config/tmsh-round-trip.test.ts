/** Whatever names and values are: text gives the same objects back, and data never becomes structure. */
import fc from 'fast-check';
import t from 'tap';
import type { Change, ConfigObject, Properties } from '../../src/config/box-config.ts';
import { BoxError } from '../../src/config/box-config.ts';
import { parseRecordOptions } from '../../src/config/data-group/record-options.ts';
import { written } from '../../src/config/tmsh/words.ts';
import { box, create, INTERNAL, outcome } from './fixtures/box.ts';

const seed = Number(process.env.EDGEWARD_SEED) || 1 + Math.floor(Math.random() * 0x7ffffffe);
const numRuns = 150 * (Number(process.env.EDGEWARD_RUNS) || 1);
const search = { seed, numRuns };

const NASTY = [
  '{',
  '}',
  '"',
  '\\',
  '\n',
  '\r',
  '\t',
  ' ',
  '#',
  '$(',
  '[',
  ']',
  ';',
  '-',
  'a',
  'ü',
  '\u2028',
  '\0',
  'none',
];
const OTHERS = [
  'json:[1]',
  '}\nltm pool /Common/evil { }\n',
  '__proto__',
  'constructor',
  '12',
  '-0.5e3',
  'true',
  'api-anonymous x',
];

const word = fc.oneof(
  fc.array(fc.constantFrom(...NASTY), { maxLength: 8 }).map((parts) => parts.join('')),
  fc.constantFrom(...OTHERS),
  fc.string({ maxLength: 12, unit: 'binary' }),
);
const value = word.filter((text) => text !== '' && text !== 'none');
const name = value.map((text) => text.replace(/[/\p{Cc}]/gu, '_')).filter((text) => !['', '.', '..'].includes(text));

const foreign = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    word,
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.constant(null),
    fc.array(word, { maxLength: 3 }),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(word, tie('value'), { maxKeys: 3 }),
    fc.array(
      fc.tuple(word, fc.dictionary(word, tie('value'), { maxKeys: 2 })).map(([own, rest]) => ({ ...rest, name: own })),
      { maxLength: 3 },
    ),
  ),
})).value;

const item = fc.record({ name: value, partition: name, tmDefault: word, weight: fc.integer() });

const groups = fc.array(
  fc.record({ name, description: word, records: fc.array(fc.record({ name: value, data: word }), { maxLength: 6 }) }),
  { maxLength: 3 },
);

const changes: fc.Arbitrary<Change[]> = fc
  .record({
    groups,
    rules: fc.array(fc.record({ name, apiAnonymous: value, description: word }), { maxLength: 3 }),
    pools: fc.array(
      fc.record({ name, description: word, members: fc.array(fc.constantFrom('10.0.0.1:80', '::1.443')) }),
      {
        maxLength: 2,
      },
    ),
    partition: name,
    virtuals: fc.array(
      fc.record({ name, body: fc.dictionary(word, foreign, { maxKeys: 3 }), policies: fc.array(item) }),
      {
        maxLength: 2,
      },
    ),
    things: fc.array(fc.record({ name, body: fc.dictionary(word, foreign, { maxKeys: 4 }) }), { maxLength: 3 }),
  })
  .map(({ groups: made, rules, pools, partition, virtuals, things }) => [
    create('auth partition', { name: partition }),
    ...made.map((body) => create(INTERNAL, { ...body, type: 'string' })),
    ...rules.map((body) => create('ltm rule', body)),
    ...pools.map((body) => create('ltm pool', body)),
    ...virtuals.map(({ name: own, body, policies }, index) =>
      create('ltm virtual', { ...body, policies, persist: policies, name: own, destination: `10.0.0.${index}:80` }),
    ),
    ...things.map(({ name: own, body }) =>
      create('asm thing', { ...body, name: own, partition: 'Common', subPath: '' }),
    ),
  ]);

const objects = (list: readonly ConfigObject[]): Map<string, Properties> =>
  new Map(list.map(({ kind, fullPath, properties }) => [`${kind} ${fullPath}`, properties]));

t.test('text merged into an empty box gives the same objects, whatever they hold', async (t) => {
  t.comment(`EDGEWARD_SEED=${seed}`);
  fc.assert(
    fc.property(changes, (list) => {
      const [one, two] = [box(), box()];
      for (const change of list) tolerated(() => one.apply([change]));
      const text = one.text();
      two.merge(text);
      same(objects(two.snapshot().objects), objects(one.snapshot().objects), text);
      if (two.text() !== text) throw new Error('the text of the second differs');
    }),
    search,
  );
});

t.test('a merge of its own text changes nothing', async (t) => {
  t.comment(`EDGEWARD_SEED=${seed}`);
  fc.assert(
    fc.property(changes, (list) => {
      const config = box();
      for (const change of list) tolerated(() => config.apply([change]));
      const before = config.text();
      config.merge(before);
      if (config.text() !== before) throw new Error('it changed');
    }),
    search,
  );
});

t.test('a written word is read as itself, wherever it stands', async (t) => {
  t.comment(`EDGEWARD_SEED=${seed}`);
  fc.assert(
    fc.property(value, word, (key, data) => {
      const batch = parseRecordOptions(`records add { ${written(key)} { data ${written(data)} } other }`);
      const expect = { verb: 'add', records: [{ name: key, data }, { name: 'other' }] };
      if (JSON.stringify(batch) !== JSON.stringify(expect)) throw new Error(JSON.stringify(batch));
    }),
    search,
  );
});

t.test('any text is read or refused with a line, never otherwise', async (t) => {
  t.comment(`EDGEWARD_SEED=${seed}`);
  const pieces = fc.constantFrom(...NASTY, 'ltm pool /Common/p {', 'ltm rule r {', 'members', '10.0.0.1:80', '\n}\n');
  fc.assert(
    fc.property(fc.array(fc.oneof(pieces, word), { maxLength: 30 }), (parts) => {
      const config = box();
      const before = config.text();
      const said = outcome(() => config.merge(parts.join(' ')));
      if (said !== 'done' && config.text() !== before) throw new Error(`${said}, and it changed`);
    }),
    search,
  );
});

function tolerated(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof BoxError)) throw error;
  }
}

function same(actual: Map<string, Properties>, expect: Map<string, Properties>, text: string): void {
  if (JSON.stringify([...actual.keys()].sort()) !== JSON.stringify([...expect.keys()].sort()))
    throw new Error(`other objects: ${[...actual.keys()].join(', ')}\n${text}`);
  for (const [key, properties] of expect)
    if (canonical(actual.get(key)) !== canonical(properties))
      throw new Error(`${key}\n${canonical(actual.get(key))}\n${canonical(properties)}\n${text}`);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
