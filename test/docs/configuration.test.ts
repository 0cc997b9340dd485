/** docs/configuration.md against the schema, in both directions. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SinksConfig } from '@edgeward/audit-collector';
import { loadStoreConfig, storeConfigSchema } from '@edgeward/central-store';
import { FORWARDER_ENV_PREFIX, forwarderSchema } from '@edgeward/deny-forwarder';
import { describeSchema, type SchemaRow } from '@edgeward/runtime';
import { loadServiceConfig, serviceSchema } from '@edgeward/sync-service';
import t from 'tap';
import { COLLECTOR_ENV_PREFIX, loadCollectorConfig } from '../../cli/src/collect/collector-config.ts';
import { collectorConfigSchema } from '../../cli/src/collect/collector-schema.ts';
import { profileSchema } from '../../cli/src/store/profile-schema.ts';
import { blocksOf, page, tableRows } from './markdown.ts';

const text = page('docs/configuration.md');
const heading = ['key', 'type', 'default', 'env', 'meaning'];
const none = '–';

const files: Record<string, { text: string; rows: SchemaRow[] }> = {
  'edgeward.yaml': { text: text.slice(0, text.indexOf('## The store')), rows: describeSchema(serviceSchema) },
  'edgeward-store.yaml': { text: section('The store'), rows: describeSchema(storeConfigSchema, 'EDGEWARD_STORE_') },
  'edgeward-collector.yaml': {
    text: section('The collector'),
    rows: describeSchema(collectorConfigSchema, COLLECTOR_ENV_PREFIX),
  },
  'edgeward-forwarder.yaml': {
    text: section('The forwarder'),
    rows: describeSchema(forwarderSchema, FORWARDER_ENV_PREFIX),
  },
};

function section(name: string): string {
  const from = text.indexOf(`## ${name}\n`);
  return text.slice(from, text.indexOf('\n## ', from));
}

for (const [file, { text, rows }] of Object.entries(files))
  t.test(`${file}: every key with its type, default, variable and meaning, and nothing else`, async (t) => {
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

t.test("a person's profile: every key, and nothing else", async (t) => {
  const rows = describeSchema(profileSchema).map(({ path, type, description }) => [path, type, description]);
  t.strictSame(tableRows(text, ['key', 'type', 'meaning']), rows);
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

t.test('one environment for a store and a sync service is refused by both, as the page says', async (t) => {
  const folder = t.testdir({
    'edgeward.yaml': '',
    'store.yaml': 'tls: { certFile: a, keyFile: b, clientCaFile: c }\n',
  });
  const [service, store] = [{ file: join(folder, 'edgeward.yaml') }, { file: join(folder, 'store.yaml') }];
  const refusal = { code: 'EDW_ERR_CONFIG', message: /unknown environment variable/ };
  for (const row of describeSchema(storeConfigSchema, 'EDGEWARD_STORE_'))
    if (row.env !== null) await t.rejects(loadServiceConfig({ ...service, env: { [row.env]: '1' } }), refusal, row.env);
  for (const { env } of describeSchema(serviceSchema))
    if (env?.startsWith('EDGEWARD_STORE__'))
      await t.rejects(loadStoreConfig({ ...store, env: { [env]: '1' } }), refusal, env);
});

t.test('what the pages on collectors and on Loki show is a whole configuration', async (t) => {
  const folder = t.testdir({});
  const file = join(folder, 'shown.yaml');
  const shown = ['docs/collector.md', 'docs/loki.md'].flatMap((path) => blocksOf(page(path)));
  const load: Record<string, () => Promise<{ sinks: SinksConfig }>> = {
    'yaml collector': () => loadCollectorConfig({ file }),
    'yaml service': () => loadServiceConfig({ file }),
    'yaml loki': () => loadServiceConfig({ file }),
  };
  const sinks: Partial<SinksConfig>[] = [];
  for (const { info, text } of shown.filter(({ info }) => Object.hasOwn(load, info))) {
    await writeFile(file, text);
    const config = await load[info]?.();
    if (config !== undefined) sinks.push(config.sinks);
  }
  t.match(sinks, [
    { loki: { url: 'https://loki.example:3100/loki/api/v1/push' }, collector: null },
    { loki: null, collector: { url: 'https://collector.example:9445' } },
    { loki: { tenant: 'edgeward', labels: { site: 'fra' } } },
  ]);
});
