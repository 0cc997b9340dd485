/** docs/denials-openapi.json is what the routes say of themselves. EDGEWARD_WRITE=1 writes it anew; Biome formats it. */
import { readFileSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { describedRoutes } from '../../src/api/denial-routes.ts';
import { openApiOf } from '../../src/api/openapi.ts';

/** Nothing is asked of a ledger while they are only listed. */
const document = openApiOf(describedRoutes({ ledger: {} as never })) as { paths: object; components: object };

t.test('the document is what the routes say', async (t) => {
  const page = new URL('../../../docs/denials-openapi.json', import.meta.url);
  if (process.env.EDGEWARD_WRITE === '1') writeFileSync(page, `${JSON.stringify(document, null, 2)}\n`);
  const written: unknown = JSON.parse(readFileSync(page, 'utf8'));
  t.strictSame(written, document, 'run this test with EDGEWARD_WRITE=1, and look at the difference');
});

t.test('every reference in the document leads to something in it', async (t) => {
  const refs = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path = '']) => path);
  t.ok(refs.length > 10);
  for (const ref of new Set(refs)) {
    const found = ref.split('/').reduce<unknown>((node, key) => (node as Record<string, unknown>)?.[key], document);
    t.type(found, 'object', ref);
  }
});
