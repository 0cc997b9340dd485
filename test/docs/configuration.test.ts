/** docs/configuration.md against the schema, in both directions. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeSchema } from '@edgeward/runtime';
import { loadServiceConfig, serviceSchema } from '@edgeward/sync-service';
import t from 'tap';
import { blocksOf, page, tableRows } from './markdown.ts';

const text = page('docs/configuration.md');
const heading = ['key', 'type', 'default', 'env', 'meaning'];

t.test('every key is documented with its type, default, variable and meaning, and nothing else is', async (t) => {
  const none = '–';
  const rows = describeSchema(serviceSchema);
  const documented = new Map(tableRows(text, heading).map((row) => [row[0], row]));
  t.strictSame(
    [...documented.keys()],
    rows.map(({ path }) => path),
    'the same keys in the same order',
  );
  for (const { path, type, default: value, env, description } of rows) {
    const [, ...cells] = documented.get(path) ?? [];
    const [, , , meaning = ''] = cells;
    t.strictSame(cells, [type, value ?? none, env ?? none, description === '' ? meaning : description], path);
    t.not(meaning, '', `${path} has a meaning`);
  }
});

t.test('the example is a whole configuration', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-docs-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  for (const block of blocksOf(text).filter(({ info }) => info === 'yaml')) {
    const file = join(folder, 'edgeward.yaml');
    await writeFile(file, block.text);
    const config = await loadServiceConfig({ file });
    t.strictSame([config.policies, config.points.map(({ name }) => name)], [join(folder, 'policies'), ['edge-1']]);
  }
});

t.test('an object in a variable is JSON, as the page says', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-docs-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'edgeward.yaml');
  await writeFile(file, '');
  const value = /EDGEWARD_POINTS='([^']+)'/.exec(text)?.[1];
  const config = await loadServiceConfig({ file, env: { EDGEWARD_POINTS: value } });
  t.strictSame(
    config.points.map(({ name }) => name),
    ['edge-1'],
  );
});
