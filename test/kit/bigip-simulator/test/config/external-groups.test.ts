import { createHash } from 'node:crypto';
import t from 'tap';
import type { BoxConfig } from '../../src/config/box-config.ts';
import { applied, box, create, EXTERNAL, FILE, INTERNAL, modify, outcome, remove } from './fixtures/box.ts';

const SOURCE = 'file:/var/config/rest/downloads/f';
const IPS = 'host 10.0.0.1 := "a",\nnetwork 10.0.0.0%2 prefixlen 8,\nnetwork 2001:db8:: prefixlen 32 := "b",\n';

function withFile(content: string, type = 'ip'): BoxConfig {
  const config = box();
  config.uploads.set('f', Buffer.from(content));
  config.apply([create(FILE, { name: 'file', type, sourcePath: SOURCE, separator: ':=' })]);
  return config;
}

t.test('a file reports its checksum, size and revision, and a group its type and no records', async (t) => {
  const config = withFile(IPS);
  const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex');
  const file = config.get(FILE, '/Common/file')?.properties ?? {};
  t.match(file, {
    checksum: `SHA1:${IPS.length}:${sha1(IPS)}`,
    size: IPS.length,
    revision: 1,
    separator: ':=',
    type: 'ip',
  });
  t.match(file, { createTime: '2026-11-22T10:00:00Z', lastUpdateTime: '2026-11-22T10:00:00Z' });
  const group = applied(config, create(EXTERNAL, { name: 'g', externalFileName: 'file' }));
  t.strictSame(group.properties, { externalFileName: '/Common/file', type: 'ip' });
  t.equal(config.file('/Common/file'), IPS);

  config.uploads.set('f', Buffer.from('host 1.1.1.1,\n'));
  t.equal(config.file('/Common/file'), IPS, 'an upload alone changes nothing');
  const next = applied(config, modify(FILE, '/Common/file', { sourcePath: SOURCE })).properties;
  t.match(next, { revision: 2, size: 14, checksum: `SHA1:14:${sha1('host 1.1.1.1,\n')}` });
  t.equal(config.file('/Common/file'), 'host 1.1.1.1,\n');
});

t.test('files of every type, with and without values', async (t) => {
  const table: [string, string][] = [
    ['ip', IPS],
    ['ip', 'network 192.168.2.0/24,\nnetwork 10.0.0.0 mask 255.0.0.0 := "n",\n'],
    ['ip', 'host 10.0.0.1\r\nnetwork 0.0.0.0 prefixlen 0 := "x"'],
    ['string', '"key" := "value",\n"a := b" := "c \\" d",\n"k",\nbare := "v",\n'],
    ['integer', '1 := v,\n80 := "w",\n443,\n'],
  ];
  for (const [type, content] of table) t.ok(withFile(content, type).file('/Common/file'), content);
});

t.test('a file that cannot be read is refused with its line, and an empty one is refused', async (t) => {
  const table: [string, string, string][] = [
    ['ip', 'host 1.1.1.1,\n1.1.1.2,\n', 'at line 2: not an address: 1.1.1.2'],
    ['ip', 'host 1.1.1.1/24,\n', 'at line 1: not an address: host 1.1.1.1/24'],
    ['ip', '\n\nnetwork 10.0.0.0 8,\n', 'at line 3:'],
    ['ip', 'network 10.0.0.0 mask 8,\n', 'at line 1:'],
    ['ip', 'network 10.0.0.0 prefixlen 33,\n', 'at line 1:'],
    ['string', '"a" := "b" "c",\n', 'at line 1: unbalanced quotes'],
    ['string', '"a" "b",\n', 'at line 1: unexpected text after the key'],
    ['integer', '1 := a,\nten := b,\n', 'at line 2: not an integer: ten'],
    ['ip', '\n# nothing\n', 'is empty'],
    ['ip', '', 'is empty'],
  ];
  for (const [type, content, expect] of table) {
    const said = outcome(() => withFile(content, type));
    t.ok(said.startsWith('400 01070711:3: ') && said.includes(expect), `${JSON.stringify(content)} → ${said}`);
  }
});

t.test('a source that was not uploaded, a file that does not exist, a file that a group holds', async (t) => {
  const config = withFile(IPS);
  const missing = create(FILE, { name: 'h', type: 'ip', sourcePath: 'file:/var/config/rest/downloads/none' });
  t.match(
    outcome(() => config.apply([missing])),
    /^400 .*\/var\/config\/rest\/downloads\/none.*No such file/,
  );
  t.match(
    outcome(() => config.apply([create(FILE, { name: 'h', type: 'ip' })])),
    /^400 invalid property value "sourcePath"/,
  );
  t.equal(
    outcome(() => config.apply([create(EXTERNAL, { name: 'g', externalFileName: '/Common/none' })])),
    '404 01020036:3: The requested data group file (/Common/none) was not found.',
  );
  config.apply([create(EXTERNAL, { name: 'g', externalFileName: '/Common/file' })]);
  t.equal(
    outcome(() => config.apply([remove(FILE, '/Common/file')])),
    '400 01070265:3: The data group file (/Common/file) cannot be deleted because it is in use by a value list (/Common/g).',
  );
  config.apply([remove(EXTERNAL, '/Common/g'), remove(FILE, '/Common/file')]);
  t.equal(config.file('/Common/file'), null);
});

t.test('internal and external groups share their names', async (t) => {
  const config = withFile(IPS);
  config.apply([create(INTERNAL, { name: 'g', type: 'ip' })]);
  const taken = '409 01020066:3: The requested value list (/Common/g) already exists in partition Common.';
  t.equal(
    outcome(() => config.apply([create(EXTERNAL, { name: 'g', externalFileName: '/Common/file' })])),
    taken,
  );
  config.apply([create(EXTERNAL, { name: 'h', externalFileName: '/Common/file' })]);
  t.match(
    outcome(() => config.apply([create(INTERNAL, { name: 'h', type: 'ip' })])),
    /^409 .*\/Common\/h/,
  );
});

t.test('a validation takes over no file', async (t) => {
  const config = withFile(IPS);
  config.uploads.set('f', Buffer.from('host 9.9.9.9,\n'));
  config.apply([modify(FILE, '/Common/file', { sourcePath: SOURCE })], { validateOnly: true });
  t.equal(config.file('/Common/file'), IPS);
});
