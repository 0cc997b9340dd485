import t from 'tap';
import { applied, box, create, INTERNAL, modify, outcome, remove, replace } from './fixtures/box.ts';

t.test('a list is applied whole or not at all', async (t) => {
  const config = box();
  const before = config.text();
  const list = [
    create('auth partition', { name: 'P' }),
    create(INTERNAL, { name: 'a', partition: 'P', type: 'ip' }),
    modify(INTERNAL, '/P/a', { records: ['1.1.1.1'] }),
    create('ltm virtual', { name: 'v', destination: '10.0.0.1:80', rules: ['/Common/none'] }),
  ];
  let told = 0;
  config.subscribe(() => told++);
  t.match(
    outcome(() => config.apply(list)),
    /^404 .*iRule/,
  );
  t.equal(config.text(), before);
  t.equal(told, 0);
  const written = config.apply(list.slice(0, 3));
  t.strictSame(
    written.map((object) => object?.fullPath),
    ['P', '/P/a', '/P/a'],
  );
  t.equal(told, 1);
});

t.test('a validation says what an apply would say, and changes nothing', async (t) => {
  const config = box();
  const before = config.text();
  const change = create(INTERNAL, { name: 'a', type: 'ip', records: ['1.1.1.1'] });
  t.match(config.apply([change], { validateOnly: true }), [{ fullPath: '/Common/a', properties: { type: 'ip' } }]);
  t.equal(config.text(), before);
  t.match(
    outcome(() => config.apply([change, change], { validateOnly: true })),
    /^409 /,
  );
  const first = applied(config, change).generation;
  config.apply([modify(INTERNAL, '/Common/a', {})], { validateOnly: true });
  t.equal(config.get(INTERNAL, '/Common/a')?.generation, first);
});

t.test('a list that removes and creates the same object is refused, in either order', async (t) => {
  const config = box();
  config.apply([create(INTERNAL, { name: 'a', type: 'ip' })]);
  const gone = remove(INTERNAL, '/Common/a');
  const made = create(INTERNAL, { name: '/Common/a', type: 'ip' });
  for (const list of [
    [gone, made],
    [made, gone],
  ])
    t.match(
      outcome(() => config.apply(list)),
      /^400 .*delete and create of the same object.*\/Common\/a/,
    );
  t.equal(
    outcome(() => config.apply([gone, create(INTERNAL, { name: 'b', type: 'ip' })])),
    'done',
  );
});

t.test('every write gives a larger generation, and no answer changes afterwards', async (t) => {
  const config = box();
  const body = { name: 'a', type: 'string', records: [{ name: 'k', data: '1' }] };
  const first = applied(config, create(INTERNAL, body));
  body.records[0] = { name: 'other', data: '2' };
  const kept = JSON.stringify(first);
  const second = applied(config, modify(INTERNAL, '/Common/a', {}));
  const third = applied(config, replace(INTERNAL, '/Common/a', { type: 'string' }));
  t.ok(first.generation < second.generation && second.generation < third.generation);
  t.equal(JSON.stringify(first), kept);
});

t.test('listeners hear what changed, once, until they end it', async (t) => {
  const config = box();
  const heard: string[][] = [];
  const end = config.subscribe((changed) => heard.push(changed.map(({ fullPath }) => fullPath)));
  config.apply([create('ltm pool', { name: 'p', members: ['10.0.0.1:80'] })]);
  config.apply([remove('ltm pool', '/Common/p')]);
  end();
  config.apply([create('ltm pool', { name: 'p' })]);
  t.strictSame(heard, [['/Common/p', '/Common/10.0.0.1'], ['/Common/p']]);
});

t.test('partitions and folders come together, and only empty ones go', async (t) => {
  const config = box();
  config.apply([create('auth partition', { name: 'P' }), create('sys folder', { name: '/Q' })]);
  t.match(config.get('sys folder', '/P'), { properties: { trafficGroup: '/Common/traffic-group-1' } });
  t.match(config.get('auth partition', 'Q'), { properties: { defaultRouteDomain: 0 } });
  config.apply([create('sys folder', { name: 'app', partition: 'P' })]);
  config.apply([create(INTERNAL, { name: 'g', partition: 'P', subPath: 'app', type: 'ip' })]);
  t.ok(config.get(INTERNAL, '/P/app/g'));
  const table: [string, string, string][] = [
    [
      'auth partition',
      'P',
      '400 010713f9:3: The folder /P cannot be deleted because it contains configuration item (folder /P/app)',
    ],
    [
      'sys folder',
      '/P/app',
      '400 010713f9:3: The folder /P/app cannot be deleted because it contains configuration item (value list /P/app/g)',
    ],
  ];
  for (const [kind, path, expect] of table)
    t.equal(
      outcome(() => config.apply([remove(kind, path)])),
      expect,
    );
  t.match(
    outcome(() => config.apply([remove('auth partition', 'Common')])),
    /^400 /,
  );
  config.apply([remove(INTERNAL, '/P/app/g'), remove('sys folder', '/P/app')]);
  config.apply([create('ltm pool', { name: 'p', partition: 'P' })]);
  t.equal(
    outcome(() => config.apply([remove('auth partition', 'P')])),
    '400 0107082a:3: All objects must be removed from a partition (P) before the partition may be removed, type ID (915)',
  );
  config.apply([remove('ltm pool', '/P/p'), remove('auth partition', 'P')]);
  t.equal(config.get('sys folder', '/P'), null);
  t.match(
    outcome(() => config.apply([create('auth partition', { name: 'Q' })])),
    /^409 .*partition \(Q\) already exists/,
  );
});

t.test('what was not saved is gone after a revert', async (t) => {
  const config = box();
  config.apply([create(INTERNAL, { name: 'a', type: 'ip', records: ['1.1.1.1'] })]);
  config.save();
  const saved = config.text();
  config.apply([modify(INTERNAL, '/Common/a', { records: [] }), create(INTERNAL, { name: 'b', type: 'ip' })]);
  const heard: string[] = [];
  config.subscribe((changed) => heard.push(...changed.map(({ fullPath }) => fullPath)));
  const last = config.get(INTERNAL, '/Common/a')?.generation ?? 0;
  config.revert();
  t.equal(config.text(), saved);
  t.strictSame(heard, ['/Common/a', '/Common/b']);
  t.ok((config.get(INTERNAL, '/Common/a')?.generation ?? 0) > last, 'a load gives new generations');
  t.equal(config.get(INTERNAL, '/Common/b'), null);
});

t.test('a snapshot carries everything but what belongs to the unit, and the peer shares it', async (t) => {
  const [one, two] = [box(), box()];
  one.uploads.set('f', Buffer.from('host 1.1.1.1,\n'));
  one.apply([
    create('auth partition', { name: 'P' }),
    create('sys file data-group', { name: 'f', type: 'ip', sourcePath: 'file:/var/config/rest/downloads/f' }),
    create('ltm data-group external', { name: 'e', externalFileName: 'f' }),
    create(INTERNAL, { name: 'a', partition: 'P', type: 'string', records: ['k'] }),
    create('net self', { name: 'mine', address: '10.0.0.1/24' }),
  ]);
  two.apply([create(INTERNAL, { name: 'old', type: 'ip' })]);
  two.restore(one.snapshot());
  t.equal(two.get(INTERNAL, '/Common/old'), null);
  t.equal(two.get('net self', '/Common/mine'), null);
  t.equal(two.file('/Common/f'), 'host 1.1.1.1,\n');
  t.equal(two.get(INTERNAL, '/P/a')?.properties, one.get(INTERNAL, '/P/a')?.properties);
  t.match(
    outcome(() => two.apply([remove('sys file data-group', '/Common/f')])),
    /^400 01070265/,
  );
});

t.test('kinds that nobody here knows are held as they came', async (t) => {
  const config = box();
  const body = { name: 'x', rules: [{ name: 'r', ordinal: 0 }], strategy: '/Common/first-match', legacy: true };
  const { name: _name, ...expect } = body;
  t.strictSame(applied(config, create('ltm policy', body)).properties, expect);
  t.strictSame(applied(config, create('asm thing', { name: 'y', deep: { a: [1, { b: null }] } })).properties, {
    deep: { a: [1, { b: null }] },
  });
  t.equal(
    outcome(() => config.apply([remove('asm thing', '/Common/z')])),
    '404 01020036:3: The requested thing (/Common/z) was not found.',
  );
});
