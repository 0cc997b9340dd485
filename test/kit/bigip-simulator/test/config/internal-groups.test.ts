import t from 'tap';
import { applied, box, create, INTERNAL, modify, outcome, remove, replace } from './fixtures/box.ts';

const group = (type: string, records: unknown): Record<string, unknown> => ({ name: 'g', type, records });

t.test('keys are normalised and sorted by their type', async (t) => {
  const table: [string, unknown[], string[]][] = [
    ['ip', ['198.81.0.0/22', '64.12.96.0/19', '9.1.1.1'], ['9.1.1.1/32', '64.12.96.0/19', '198.81.0.0/22']],
    ['ip', ['10.0.0.7/8', '10.0.0.0/255.255.0.0'], ['10.0.0.0/8', '10.0.0.0/16']],
    ['ip', ['10.0.0.0%2/8', '10.0.0.0%0/8', '10.0.0.0%11/8'], ['10.0.0.0/8', '10.0.0.0%2/8', '10.0.0.0%11/8']],
    [
      'ip',
      ['2A02::', '::/0', '1.1.1.1', '2001:DB8:0:0:1::/80'],
      ['1.1.1.1/32', '::/0', '2001:db8:0:0:1::/80', '2a02::/128'],
    ],
    ['ip', ['::ffff:10.0.0.1', '1:0:0:2:0:0:0:3%5'], ['::ffff:10.0.0.1/128', '1:0:0:2::3%5/128']],
    ['string', ['b', 'a', 'B', 'a b', '{', '"'], ['"', 'B', 'a', 'a b', 'b', '{']],
    ['integer', [100, '20', '-3', '007'], ['-3', '7', '20', '100']],
  ];
  for (const [type, said, expect] of table) {
    const { properties } = applied(box(), create(INTERNAL, group(type, said)));
    const names = (properties.records as { name: string }[]).map(({ name }) => name);
    t.strictSame(names, expect, JSON.stringify(said));
  }
});

t.test('a record without a value shows an empty one from 14.1 on, and none before', async (t) => {
  const body = group('string', [
    { name: 'k', data: '' },
    { name: 'v', data: 5 },
  ]);
  t.strictSame(applied(box('17.1.2'), create(INTERNAL, body)).properties.records, [
    { name: 'k', data: '' },
    { name: 'v', data: '5' },
  ]);
  t.strictSame(applied(box('13.1.3'), create(INTERNAL, body)).properties.records, [
    { name: 'k' },
    { name: 'v', data: '5' },
  ]);
});

t.test('what is empty is absent', async (t) => {
  const config = box();
  t.strictSame(applied(config, create(INTERNAL, { ...group('ip', []), description: '' })).properties, { type: 'ip' });
  applied(config, modify(INTERNAL, '/Common/g', { records: ['1.1.1.1'], description: 'now' }));
  t.strictSame(applied(config, modify(INTERNAL, '/Common/g', { records: [] })).properties, {
    type: 'ip',
    description: 'now',
  });
});

t.test('a modify replaces the records whole and leaves the rest', async (t) => {
  const config = box();
  const first = applied(config, create(INTERNAL, { ...group('string', ['a', 'b']), description: 'd' }));
  const second = applied(config, modify(INTERNAL, '/Common/g', { records: ['c'] }));
  t.strictSame(second.properties, { type: 'string', description: 'd', records: [{ name: 'c', data: '' }] });
  t.ok(second.generation > first.generation);
  const third = applied(config, modify(INTERNAL, '/Common/g', { description: 'e' }));
  t.equal(third.properties.records, second.properties.records, 'shared, not copied');
  t.strictSame(applied(config, replace(INTERNAL, '/Common/g', { type: 'string' })).properties, { type: 'string' });
});

t.test('what exists, what does not, and what is said twice', async (t) => {
  const config = box();
  applied(config, create(INTERNAL, group('string', ['a'])));
  const missing = '404 01020036:3: The requested value list (/Common/x) was not found.';
  const table: [string, () => unknown, string][] = [
    [
      'create',
      () => config.apply([create(INTERNAL, group('string', []))]),
      '409 01020066:3: The requested value list (/Common/g) already exists in partition Common.',
    ],
    ['modify', () => config.apply([modify(INTERNAL, '/Common/x', {})]), missing],
    ['replace', () => config.apply([replace(INTERNAL, '/Common/x', { type: 'ip' })]), missing],
    ['remove', () => config.apply([remove(INTERNAL, '/Common/x')]), missing],
    [
      'key',
      () => config.apply([modify(INTERNAL, '/Common/g', { records: ['k', 'k'] })]),
      '409 01020066:3: The requested class string item (/Common/g k) already exists in partition Common.',
    ],
    [
      'folder',
      () => config.apply([create(INTERNAL, { ...group('ip', []), partition: 'Nowhere' })]),
      '404 01020036:3: The requested folder (/Nowhere) was not found.',
    ],
  ];
  for (const [name, work, expect] of table) t.equal(outcome(work), expect, name);
  const address = outcome(() =>
    config.apply([create(INTERNAL, { name: 'i', type: 'ip', records: ['1.1.1.1', '1.1.1.1/32'] })]),
  );
  t.match(address, /^409 .*\(\/Common\/i 1\.1\.1\.1\/32\) already exists/, 'the same network in two spellings');
});

t.test('type: refused in a modify before 14.1, needed in a replace after it', async (t) => {
  const inModify =
    '400 "type" may not be specified in the context of the "modify" command. "type" may be specified using the following commands: create, edit, list';
  const old = box('13.1.3');
  applied(old, create(INTERNAL, group('string', ['a'])));
  t.equal(
    outcome(() => old.apply([modify(INTERNAL, '/Common/g', { type: 'string' })])),
    inModify,
  );
  t.equal(
    outcome(() => old.apply([replace(INTERNAL, '/Common/g', { type: 'string' })])),
    inModify,
  );
  t.equal(applied(old, replace(INTERNAL, '/Common/g', { records: ['b'] })).properties.type, 'string');

  const recent = box('17.1.2');
  applied(recent, create(INTERNAL, group('string', ['a'])));
  t.equal(
    outcome(() => recent.apply([replace(INTERNAL, '/Common/g', { records: [] })])),
    '400 invalid property value "type":""',
  );
  t.equal(
    outcome(() => recent.apply([modify(INTERNAL, '/Common/g', { type: 'string' })])),
    'done',
  );
  t.equal(
    outcome(() => recent.apply([modify(INTERNAL, '/Common/g', { type: 'ip', records: [] })])),
    '400 0107074b:3: Unable to change data group (/Common/g) type.  Must remove existing entries first.',
  );
  recent.apply([modify(INTERNAL, '/Common/g', { records: [] })]);
  t.equal(applied(recent, modify(INTERNAL, '/Common/g', { type: 'ip' })).properties.type, 'ip');
  t.equal(
    outcome(() => recent.apply([create(INTERNAL, { name: 'n' })])),
    '400 invalid property value "type":""',
  );
});

t.test('a value or key of 65,520 bytes fits, a longer one does not', async (t) => {
  const config = box();
  const fits = 'ü'.repeat(32_760);
  t.equal(
    outcome(() => config.apply([create(INTERNAL, group('string', [{ name: fits, data: fits }]))])),
    'done',
  );
  const value = create(INTERNAL, { name: 'h', type: 'string', records: [{ name: 'k', data: 'x'.repeat(65_529) }] });
  t.equal(
    outcome(() => config.apply([value])),
    '400 01070712:3: Max string size exceeded during update of attribute:data type:class_value_item max:65520 received:65529',
  );
  const key = create(INTERNAL, { name: 'h', type: 'string', records: [`${fits}x`] });
  t.match(
    outcome(() => config.apply([key])),
    /attribute:name type:class_string_item max:65520 received:65521/,
  );
});

t.test('keys that are none of their type are refused', async (t) => {
  for (const [type, name] of [
    ['ip', '10.0.0.256'],
    ['ip', '10.0.0.1/33'],
    ['ip', '10.0.0.1%x'],
    ['ip', '10.0.0.0/255.0.255.0'],
    ['ip', ''],
    ['integer', '1.5'],
    ['integer', 'ten'],
    ['string', ''],
  ] as const)
    t.match(
      outcome(() => box().apply([create(INTERNAL, group(type, [name]))])),
      /^400 /,
      `${type} ${name}`,
    );
});

t.test('a body of other types is refused, not misread', async (t) => {
  for (const body of [
    { type: 'ip', records: 'x' },
    { type: 'ip', records: [['1.1.1.1']] },
    { type: 'ip', records: [{ name: { a: 1 } }] },
    { type: 'string', records: [{ name: 'k', data: ['v'] }] },
    { type: 'constructor', records: [] },
    { type: 7 },
  ])
    t.match(
      outcome(() => box().apply([create(INTERNAL, { name: 'g', ...body })])),
      /^400 invalid property value/,
    );
  for (const name of [undefined, '', 'a/b', 'a\nltm rule x {', '/Common/../x'])
    t.match(
      outcome(() => box().apply([create(INTERNAL, { name, type: 'ip' })])),
      /^40[04] /,
      String(name),
    );
});

t.test('what a client read and sends back means nothing by its frame', async (t) => {
  const config = box();
  const { properties } = applied(config, create(INTERNAL, group('ip', ['1.1.1.1'])));
  const frame = { kind: 'x', name: 'other', partition: 'P', fullPath: '/P/other', generation: 3, selfLink: 'y' };
  t.strictSame(applied(config, replace(INTERNAL, '/Common/g', { ...frame, ...properties })).properties, properties);
});
