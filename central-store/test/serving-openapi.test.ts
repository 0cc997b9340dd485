/** docs/store-openapi.json is the table of routes. EDGEWARD_WRITE=1 writes it anew; Biome formats it. */
import { readFileSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { openApiOf } from '../src/serving/openapi.ts';
import { peopleRoutes } from '../src/serving/people-routes.ts';
import { pointRoutes } from '../src/serving/point-routes.ts';
import type { StoreRoute } from '../src/serving/route.ts';
import { crms, openServedStore, shopBundle } from './serving-kit.ts';

/** Nothing is asked of what the routes work on while they are only listed. */
const nothing = {} as never;
const routes: StoreRoute[] = [
  ...pointRoutes({ publishing: nothing, reports: nothing, record: nothing }),
  ...peopleRoutes({
    ...{ publishing: nothing, proposals: nothing, record: nothing, rollout: nothing, access: nothing, status: nothing },
  }),
];

t.test('the document names every route, parameter and status, and no other', async (t) => {
  const page = new URL('../../docs/store-openapi.json', import.meta.url);
  const document = openApiOf(routes);
  if (process.env.EDGEWARD_WRITE === '1') writeFileSync(page, `${JSON.stringify(document, null, 2)}\n`);
  t.strictSame(
    JSON.parse(readFileSync(page, 'utf8')),
    document,
    'run this test with EDGEWARD_WRITE=1, and look at the difference',
  );
  t.ok(routes.length > 15);
  const ids = new Set(routes.map(({ method, path }) => `${method} ${path}`));
  t.equal(ids.size, routes.length, 'each once');
});

t.test('what a running store answers is in the document', async (t) => {
  const served = await openServedStore(t);
  await served.inventory(...crms(3));
  await served.publish(shopBundle(['edge-1']));
  const values: Record<string, string> = { point: 'edge-1', hex: '0'.repeat(64), version: '1', id: 'none' };
  for (const route of routes) {
    if (route.path === '/v1/events') continue;
    const path = route.path.replace(/:(\w+)/g, (_, name: string) => values[name] ?? '');
    const answers = Object.keys(route.doc.answers).map(Number);
    const refusals = new Set([...answers, 400, 403, 404, 429]);
    const body = route.method === 'POST' ? { body: {} } : {};
    for (const who of ['edge-1', 'edge-2', 'flo', 'eve'] as const) {
      const { status } = await served.as(who, path, body);
      t.ok(refusals.has(status), `${who}: ${route.method} ${path}: ${status}`);
      if (status < 400) t.ok(answers.includes(status), `${who}: ${route.method} ${path}: ${status} is in the document`);
    }
  }
});
