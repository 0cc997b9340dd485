/** docs/deny-event.md against the schema and the reader of the deny log. */
import { denyEventSchema } from '@edgeward/audit-collector';
import { parseDenyLine } from '@edgeward/deny-log';
import t from 'tap';
import { blocksOf, page, tableRows } from './markdown.ts';

interface Field {
  const?: number;
  description: string;
}

const text = page('docs/deny-event.md');
const schema = JSON.parse(page('docs/deny-event.schema.json')) as { properties: Record<string, Field> };

t.test('every field is documented in its own words, in the order of the schema', async (t) => {
  const fields = Object.entries(schema.properties).map(([name, { description }]) => [name, description]);
  t.strictSame(tableRows(text, ['field', 'meaning']), fields);
});

t.test('the example is an event', async (t) => {
  const [example] = blocksOf(text).filter(({ info }) => info === 'json');
  const event: unknown = JSON.parse(example?.text ?? '');
  t.strictSame(denyEventSchema.parse(event), event);
});

t.test('the line is one that NGINX writes', async (t) => {
  const [line] = blocksOf(text).filter(({ info }) => info === 'json line');
  const { records, unparsed } = parseDenyLine(Buffer.from(line?.text.trimEnd() ?? ''));
  t.strictSame([records.length, unparsed], [1, null]);
  t.strictSame(records[0], JSON.parse(line?.text ?? ''));
});

t.test('so is the line of a flood', async (t) => {
  const [line] = blocksOf(text).filter(({ info }) => info === 'json flood');
  const { records, unparsed } = parseDenyLine(Buffer.from(line?.text.trimEnd() ?? ''));
  t.strictSame([records, unparsed], [[JSON.parse(line?.text ?? '')], null]);
});
