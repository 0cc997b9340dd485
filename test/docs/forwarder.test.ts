/** docs/forwarder.md and docs/batches.md against what they describe. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readForwarderConfig } from '@edgeward/deny-forwarder';
import { yamlDocuments } from '@edgeward/policy-source';
import { loadServiceConfig } from '@edgeward/sync-service';
import t from 'tap';
import { readBatch } from '../../audit-collector/src/batches/batch-reading.ts';
import { blocksOf, page } from './markdown.ts';

const block = (file: string, info: string): string => blocksOf(page(file)).find((it) => it.info === info)?.text ?? '';

t.test('the two configurations are whole, and fit together', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-docs-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'edgeward.yaml');
  await writeFile(file, block('docs/forwarder.md', 'yaml service'));
  const { forwarders } = await loadServiceConfig({ file, env: {} });
  t.match(forwarders, { listen: { port: 9443 }, points: ['edge-2'] });
  const { documents, findings } = yamlDocuments(
    block('docs/forwarder.md', 'yaml forwarder'),
    'edgeward-forwarder.yaml',
  );
  t.strictSame(findings, []);
  const value = JSON.parse(JSON.stringify(documents[0]?.value)) as unknown;
  const forwarder = readForwarderConfig({ value, file: '/etc/edgeward/edgeward-forwarder.yaml', env: {} });
  t.equal(new URL(forwarder.collector.url).port, '9443');
  t.equal(forwarder.collector.tls.keyFile, '/etc/edgeward/edge-2-key.pem');
});

t.test('the batch on the page is one, and every kind of record that is named can be read', async (t) => {
  const [head, records] = [block('docs/batches.md', 'json head'), block('docs/batches.md', 'json record')];
  const batch = readBatch(`${head}${records}`, { sender: 'edge-1', maySpeakOf: () => true, mayLabel: false });
  t.strictSame(
    batch.records.map(({ seq, kind }) => [seq, kind]),
    [
      [812, 'denial'],
      [813, 'unparsed'],
      [814, 'loss'],
      [815, 'gap'],
    ],
  );
  t.match(JSON.parse(block('docs/batches.md', 'json answer')), { acknowledged: batch.head.last });
});
