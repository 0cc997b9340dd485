/** docs/bigip.md against the code: every call, every hazard, and its configuration. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CALLS } from '@edgeward/f5-irules';
import { loadServiceConfig } from '@edgeward/sync-service';
import t from 'tap';
import { page, tableRows } from './markdown.ts';

const text = page('docs/bigip.md');

t.test('every call is listed, and no other', async (t) => {
  const rows = tableRows(text, ['method', 'path below /mgmt/', 'needs', 'for']);
  t.strictSame(
    rows.map(([method, path, needs, why]) => [method, path, needs, why]),
    CALLS.map(({ method, path, needs, why }) => [method, path, needs, why]),
  );
});

t.test('every hazard is explained, and no other', async (t) => {
  const source = readFileSync(fileURLToPath(new URL('../../f5-irules/driver/hazards.ts', import.meta.url)), 'utf8');
  const union = /type HazardCode =([^;]*);/.exec(source)?.[1] ?? '';
  const known = [...union.matchAll(/'([a-z0-9-]+)'/g)].map(([, code]) => code);
  const rows = tableRows(text, ['hazard', 'means']);
  const listed = rows.flatMap(([cell = '']) => cell.replaceAll('`', '').split(', '));
  t.ok(known.length > 10, 'the code was read');
  t.strictSame(listed.toSorted(), known.toSorted());
});

t.test('the configuration on the page is one', async (t) => {
  const yaml = /```yaml\n([\s\S]*?)```/.exec(text)?.[1] ?? '';
  const folder = t.testdir({ 'edgeward.yaml': yaml });
  const config = await loadServiceConfig({ file: `${folder}/edgeward.yaml` });
  t.match(config.bigips, [{ name: 'dc1', urls: { length: 2 }, denials: { port: 6514, tls: {} } }]);
});

t.test('what is presumed of a BIG-IP is printed, all of it', async (t) => {
  const folder = fileURLToPath(new URL('../kit/bigip-simulator/fidelity/', import.meta.url));
  const presumed = readdirSync(folder)
    .toSorted()
    .flatMap((file) => {
      const entries = JSON.parse(readFileSync(`${folder}${file}`, 'utf8')) as Record<string, string>[];
      return entries
        .filter(({ evidence }) => evidence === 'presumed')
        .map(({ behaviour, source }) => [file.replace('.json', ''), behaviour, source]);
    });
  const rows = tableRows(page('docs/bigip-simulator.md'), ['area', 'presumed', 'because']);
  t.ok(presumed.length > 50, 'the ledger was read');
  t.strictSame(rows, presumed);
});
