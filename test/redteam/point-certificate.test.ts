/**
 * A stolen certificate of a point, or of a sync service with several, against a real store over TLS: what it can ask and
 * say, for every route there is. What a thief does *to its own points* is no matter of the store.
 */
import { readFileSync } from 'node:fs';
import type { PointReport } from '@edgeward/policy-format';
import t, { type Test } from 'tap';
import { crms, openServedStore, type ServedStore, shopBundle, until } from '../../central-store/test/serving-kit.ts';

interface Operation {
  method: 'get' | 'post';
  path: string;
}

const operations: readonly Operation[] = operationsOf(
  JSON.parse(readFileSync(new URL('../../docs/store-openapi.json', import.meta.url), 'utf8')),
);

function operationsOf({ paths }: { paths: Record<string, Record<string, unknown>> }): Operation[] {
  return Object.entries(paths).flatMap(([path, of]) =>
    Object.keys(of).map((method) => ({ method: method as Operation['method'], path })),
  );
}

/** All that a certificate without a person may do, beside what is its own point's. */
const ANY_POINT = ['get /v1/roots/{version}', 'get /v1/checkpoint', 'get /v1/inventory'];

async function published(t: Test): Promise<ServedStore> {
  const served = await openServedStore(t);
  await served.inventory(...crms(5));
  await served.publish(shopBundle(['edge-1', 'edge-2', 'edge-3']));
  return served;
}

function report(point: string, more: Partial<PointReport> = {}): PointReport {
  return {
    typ: 'edgeward-report/1',
    point,
    at: new Date().toISOString(),
    service: 'site-1',
    epoch: 1,
    revision: 1,
    applied: 1,
    state: 'current',
    nack: null,
    witnessed: null,
    contradicted: false,
    denials: { total: 0, sinceMs: 0 },
    ...more,
  };
}

t.test('of everything that a store answers, a certificate gets what its own points need', async (t) => {
  const served = await published(t);
  const site = await served.certificates.point('edge-1', 'edge-2');
  const before = JSON.stringify([served.store.folder.proposals.list(), [...served.store.publishing.points()].length]);
  const [foreign = ''] = served.store.publishing.point('edge-3')?.blobs ?? [];
  const named: Record<string, string> = { point: 'edge-3', hex: foreign, version: '1', id: 'any' };
  t.ok(operations.length > 20, 'every route is tried');
  for (const { method, path } of operations) {
    if (path === '/v1/events' || path === '/v1/next') continue;
    const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => named[name] ?? '');
    const query = path.endsWith('/delta') ? `?from=1.1.${'0'.repeat(64)}` : '';
    const body = method === 'post' ? { body: report('edge-3') } : {};
    const { status } = await served.ask(site, filled + query, body);
    t.equal(status, ANY_POINT.includes(`${method} ${path}`) ? 200 : 404, `${method} ${path}`);
  }
  // Questions of several points are asked in one body: of another's point it says what it says of one that is not there.
  const question = {
    from: `1.1.${'0'.repeat(64)}`,
    issuedAt: new Date(0).toISOString(),
    tag: '0'.repeat(12),
    waitMs: 0,
  };
  const asked = { 'edge-3': { ...question, report: report('edge-3') }, 'edge-99': question };
  const joint = await served.ask(site, '/v1/next', { body: asked });
  t.strictSame(joint.text.split('\n').sort(), ['', 'edge-3 alone', 'edge-99 alone'], 'post /v1/next');
  t.strictSame(served.store.reports.of('edge-3'), [], 'nobody spoke for it');
  const after = JSON.stringify([served.store.folder.proposals.list(), [...served.store.publishing.points()].length]);
  t.equal(after, before);
  t.strictSame(served.store.reports.of('edge-3'), [], 'nobody speaks for another');
  for (const own of ['edge-1', 'edge-2']) t.equal((await served.ask(site, `/v1/points/${own}/head`)).status, 200, own);
});

t.test(
  'what a service says of its own point fills neither the record nor memory, and moves nobody’s screen',
  async (t) => {
    const served = await published(t);
    const entries = async () => (await served.store.folder.record.read({ after: 0, limit: 10_000 })).length;
    const before = await entries();
    for (let i = 0; i < 300; i += 1) {
      const nack = { revision: i, stage: 'fence', code: 'EDW_ERR_FENCE_OUTSIDE', message: `${i}\n\u001b[2J` } as const;
      const body = report('edge-1', { service: `s${i}`, nack, contradicted: i % 2 === 0 });
      t.equal((await served.as('edge-1', '/v1/points/edge-1/status', { body })).status, 204);
    }
    t.ok((await entries()) - before <= 40, `${(await entries()) - before} entries`);
    t.ok(served.store.reports.of('edge-1').length <= 8);
    const shown = await served.as('flo', '/v1/status');
    t.notMatch(shown.text, '\\u001b');
    t.equal((await served.as('edge-2', '/v1/points/edge-2/status', { body: report('edge-2') })).status, 204);
  },
);

t.test('who lies about what a point holds moves that point’s numbers, and keeps no other from following', async (t) => {
  const served = await published(t);
  for (const applied of [2 ** 31 - 2, 2 ** 33, 2 ** 50, Number.MAX_SAFE_INTEGER]) {
    const body = report('edge-1', { applied });
    t.equal((await served.as('edge-1', '/v1/points/edge-1/status', { body })).status, 204);
  }
  const revisionOf = (point: string): number => served.store.publishing.point(point)?.head.revision ?? 0;
  await until('the number moved', () => revisionOf('edge-1') === 2 ** 31 - 1);
  t.equal(revisionOf('edge-2'), 1);
  await served.inventory(...crms(6));
  t.ok(revisionOf('edge-2') - 1 <= 2 ** 32, 'within what a point takes in one step');
});
