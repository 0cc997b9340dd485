import t from 'tap';
import { applied, box, create, EXTERNAL, FILE, INTERNAL, modify, remove } from './fixtures/box.ts';

const address = (index: number): string => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`;

t.test('a group of 100,000 records is written, changed in one place, shared and read back', async (t) => {
  const config = box();
  const records = Array.from({ length: 100_000 }, (_, index) => ({
    name: address(index),
    data: `tcp 443 443 allow r${index}`,
  }));
  const { properties } = applied(config, create(INTERNAL, { name: 'g', type: 'ip', records }));
  const held = properties.records as { name: string }[];
  t.equal(held.length, 100_000);

  const options = 'records delete { 10.0.0.5/32 }';
  const after = applied(config, modify(INTERNAL, '/Common/g', {}, options)).properties.records as { name: string }[];
  t.equal(after.length, 99_999);
  t.equal(after[0], held[0], 'a record that stays is the same one');

  const other = box();
  other.restore(config.snapshot());
  t.equal(other.get(INTERNAL, '/Common/g')?.properties.records, after);
  const third = box();
  third.merge(config.text());
  t.match(third.get(INTERNAL, '/Common/g')?.properties.records, { length: 99_999 });
});

t.test('a file of a million lines is taken over once, whatever is written beside it', async (t) => {
  const config = box();
  const lines: string[] = [];
  for (let index = 0; index < 1_000_000; index++) lines.push(`host ${address(index)} := "tcp 443 443 allow r",\n`);
  config.uploads.set('f', Buffer.from(lines.join('')));
  config.apply([
    create(FILE, { name: 'f', type: 'ip', sourcePath: 'file:/var/config/rest/downloads/f' }),
    create(EXTERNAL, { name: 'g', externalFileName: 'f' }),
  ]);
  config.uploads.clear();
  const content = config.file('/Common/f');
  t.equal(content?.length, lines.join('').length);
  for (let index = 0; index < 200; index++) config.apply([create('ltm pool', { name: `p${index}` })]);
  const peer = box();
  peer.restore(config.snapshot());
  t.equal(peer.file('/Common/f'), content);
  config.apply([remove(EXTERNAL, '/Common/g'), remove(FILE, '/Common/f')]);
  t.equal(config.file('/Common/f'), null);
});
