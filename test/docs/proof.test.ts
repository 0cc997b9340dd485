/** docs/proof.md against the code: the example is taken, and states and kinds of failure are those that there are. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadServiceConfig } from '@edgeward/sync-service';
import t from 'tap';
import { PROOF_STATES } from '../../sync-service/src/proof/object-proof.ts';
import { FAILURE_KINDS } from '../../sync-service/src/proof/proof-finding.ts';
import { blocksOf, page, tableRows } from './markdown.ts';

const text = page('docs/proof.md');
const first = (rows: readonly string[][]): string[] => rows.map(([cell = '']) => cell.replaceAll('`', ''));

t.test('every state and every kind of failure is on the page, and no other', async (t) => {
  t.strictSame(first(tableRows(text, ['state', 'when'])).toSorted(), [...PROOF_STATES].toSorted());
  const kinds = first(tableRows(text, ['kind of failure', 'what was seen', 'mend']));
  t.strictSame(kinds.toSorted(), [...FAILURE_KINDS].toSorted());
  const metric = tableRows(page('docs/metrics.md'), ['name', 'type', 'labels', 'meaning']);
  const meaning = (name: string): string => metric.find(([it]) => it === `\`${name}\`` || it === name)?.[3] ?? '';
  for (const state of PROOF_STATES) t.match(meaning('edgeward_proof_state'), state);
  for (const kind of FAILURE_KINDS) t.match(meaning('edgeward_proof_failures_total'), kind);
});

t.test('the configuration that the page shows is taken as it stands', async (t) => {
  const [block] = blocksOf(text).filter(({ info }) => info === 'yaml proof');
  const folder = t.testdir({});
  const file = join(folder, 'edgeward.yaml');
  await writeFile(file, block?.text ?? '');
  const { points } = await loadServiceConfig({ file });
  t.match(points, [
    {
      name: 'edge-1',
      proof: {
        mode: 'on',
        objects: { 'order-front': { caFile: join(folder, 'tls/site-ca.pem') }, 'legacy-front': { mode: 'off' } },
      },
    },
  ]);
});
