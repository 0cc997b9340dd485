import t from 'tap';
import { applied, box, create, INTERNAL, modify, outcome } from './fixtures/box.ts';

const GROUP = {
  name: 'g',
  type: 'string',
  records: [
    { name: 'a', data: '1' },
    { name: 'b', data: '2' },
  ],
};

function after(options: string): unknown {
  const config = box();
  applied(config, create(INTERNAL, GROUP));
  return applied(config, modify(INTERNAL, '/Common/g', {}, options)).properties.records;
}

t.test('records are added, modified and removed as tmsh says it', async (t) => {
  const a = { name: 'a', data: '1' };
  const b = { name: 'b', data: '2' };
  const table: [string, unknown][] = [
    ['records add { c { data 3 } }', [a, b, { name: 'c', data: '3' }]],
    ['records add { c { data "x y" } d }', [a, b, { name: 'c', data: 'x y' }, { name: 'd', data: '' }]],
    ['records add { "k {1}" { data "a \\"b\\" \\\\ }" } }', [a, b, { name: 'k {1}', data: 'a "b" \\ }' }]],
    ['records add { k\\ \\{ { data a\\ b } }', [a, b, { name: 'k {', data: 'a b' }]],
    ['records modify { a { data 9 } }', [{ name: 'a', data: '9' }, b]],
    ['records delete { a b }', undefined],
    ['records delete { "a" }', [b]],
    ['records replace-all-with { z }', [{ name: 'z', data: '' }]],
  ];
  for (const [options, expect] of table) t.strictSame(after(options), expect, options);
});

t.test('a batch is all or nothing, and not idempotent', async (t) => {
  const config = box();
  const before = applied(config, create(INTERNAL, GROUP));
  const table: [string, string][] = [
    [
      'records add { c b }',
      '409 01020066:3: The requested class string item (/Common/g b) already exists in partition Common.',
    ],
    ['records delete { a key4 }', '404 01020036:3: The requested class string item (/Common/g key4) was not found.'],
    [
      'records modify { a { data 1 } key4 { data 2 } }',
      '404 01020036:3: The requested class string item (/Common/g key4) was not found.',
    ],
  ];
  for (const [options, expect] of table)
    t.equal(
      outcome(() => config.apply([modify(INTERNAL, '/Common/g', {}, options)])),
      expect,
      options,
    );
  t.equal(config.get(INTERNAL, '/Common/g'), before);
});

t.test('anything else is a syntax error and changes nothing', async (t) => {
  const config = box();
  const before = applied(config, create(INTERNAL, GROUP));
  for (const options of [
    'record add { c }',
    '"records" add { c }',
    'records',
    'records put { c }',
    'records add c',
    'records add { c',
    'records add { c { data 1 } } type ip',
    'records add { c { value 1 } }',
    'records add { c { data "1 } }',
    'records add { { } }',
    'records delete all',
    `records add ${'{ a '.repeat(100_000)}`,
  ])
    t.match(
      outcome(() => config.apply([modify(INTERNAL, '/Common/g', {}, options)])),
      /^400 Syntax Error/,
      options.slice(0, 60),
    );
  t.equal(config.get(INTERNAL, '/Common/g'), before);
});
