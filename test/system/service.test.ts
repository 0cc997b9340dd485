/** The main job on real parts: a directory of policy, the sync service, a real NGINX, the ledger. */
import { requireNginx, startEdge } from '@edgeward/test/kit';
import t from 'tap';
import { preparePlace, startAt, startIn, sumOf } from './running-service.ts';
import { ask, crm, dev, site, stranger, virtualServer, workload } from './site.ts';
import { eventually, until } from './waiting.ts';

await requireNginx(t);

t.test('a directory becomes the verdicts of a running NGINX, and each denial is in the ledger', async (t) => {
  const edge = await startEdge(t);
  const it = await startIn(t, { edges: { 'edge-1': edge }, files: site });
  await until('the policy is in force', async () => (await it.status()).points[0]?.state === 'current');

  t.test('who is allowed passes, everybody else gets 403 with a reference and nothing more', async (t) => {
    t.strictSame(await ask(edge.port, crm), { status: 200, ref: null });
    t.match(await ask(edge.port, dev), { status: 403, ref: /^[0-9a-f]{16}$/ });
    t.match(await ask(edge.port, stranger), { status: 403, ref: /^[0-9a-f]{16}$/ });
  });

  t.test('the status says what is enforced', async (t) => {
    const status = await it.status();
    t.equal(status.headline, 'ENFORCING 1 object');
    t.match(status.policy, { state: 'current', revision: 1, errors: [], held: null, directory: it.place.policies });
    const objects = { enforce: 1, observe: 0, off: 0 };
    t.match(status.points, [
      {
        point: 'edge-1',
        kind: 'nginx',
        desiredRevision: 1,
        appliedRevision: 1,
        lastError: null,
        logError: null,
        objects,
      },
    ]);
  });

  t.test('a denial is in the ledger with both ends, its reason, and the rule that came nearest', async (t) => {
    const { ref } = await ask(edge.port, dev, '/v1/orders?secret=1');
    const denial = await eventually('the denial is stored', async () => {
      const { denials } = await it.denials('limit=1');
      return denials[0]?.ref === ref ? denials[0] : null;
    });
    t.match(denial, {
      point: 'edge-1',
      object: 'order-front',
      objectLabels: { app: 'shop' },
      source: dev,
      sourceWorkloads: ['crm-2'],
      sourceLabels: { app: 'crm', env: 'dev' },
      labelsRevision: 1,
      port: 'tcp/443',
      method: 'GET',
      path: '/v1/orders',
      host: 'shop.example',
      verdict: 'deny',
      reason: 'unknown-source',
      rule: null,
      revision: 1,
      nearestRule: 'crm-orders',
      missed: "source: needs env == 'prod', has 'dev'",
    });
    const why = await it.get(`/v1/why/${ref}`);
    t.match(why, {
      status: 200,
      json: {
        event: { ref },
        nearestRule: 'crm-orders',
        judgedAt: 1,
        now: { verdict: 'deny', reason: 'unknown-source', revision: 1 },
      },
    });
    t.match(await it.get('/v1/why/0123456789abcdef'), {
      status: 404,
      json: { error: { code: 'EDW_ERR_UNKNOWN_REFERENCE' } },
    });
  });

  t.test('one label in a file changes the verdict of the next requests', async (t) => {
    const { ref } = await ask(edge.port, dev);
    await it.write('crm-2.yaml', workload('crm-2', dev, 'prod'));
    await until('crm-2 is let in', async () => (await ask(edge.port, dev)).status === 200);
    const why = await eventually('the denial is stored', async () => {
      const answer = await it.get(`/v1/why/${ref}`);
      return answer.status === 200 ? answer.json : null;
    });
    t.match(
      why,
      { judgedAt: 1, now: { verdict: 'allow', rule: 'crm-orders', revision: 2 } },
      'as it was, and as it would be',
    );
    await it.write('crm-2.yaml', workload('crm-2', dev, 'dev'));
    await until('crm-2 is out again', async () => (await ask(edge.port, dev)).status === 403);
    t.equal((await ask(edge.port, crm)).status, 200);
  });

  t.test('denials are paged oldest first, and filtered', async (t) => {
    // One that is on its way would come between two pages.
    const denied = (await edge.denials()).length;
    const stored = async (): Promise<boolean> => sumOf(await it.metrics(), 'edgeward_ledger_denials_total') === denied;
    await eventually('every denial is in the ledger', async () => ((await stored()) ? true : null));
    const first = await it.denials('sinceMs=0&limit=2');
    t.equal(first.denials.length, 2);
    const next = await it.denials(`after=${first.after}&limit=10000`);
    const ids = [...first.denials, ...next.denials].map(({ id }: { id: number }) => id);
    t.strictSame(
      ids,
      ids.toSorted((one, other) => one - other),
    );
    t.equal(new Set(ids).size, ids.length);
    t.strictSame(await it.denials(`after=${next.after}`), {
      ...{ denials: [], uncovered: [], after: next.after },
      ...{ cursor: null, cutShort: false },
    });
    const strangers = (await it.denials(`source=${stranger}`)).denials;
    t.ok(strangers.length > 0 && strangers.every(({ source }: { source: string }) => source === stranger));
    t.strictSame((await it.denials('point=edge-9')).denials, []);
    const rare = 'label=source.env%3Ddev&label=object.app%3Dshop&source=127.0.1.0/24&order=newest';
    const devs = (await it.denials(rare)).denials;
    t.ok(devs.length > 0 && devs.every(({ sourceLabels }) => sourceLabels.env === 'dev'), 'by labels of both ends');
    for (const query of ['limit=x', 'after=-1', 'sinceMs=1.5', 'sourc=127.0.0.1', 'source=10.0.0.1/8'])
      t.match(await it.get(`/v1/denials?${query}`), { status: 400, json: { error: { code: 'EDW_ERR_QUERY' } } }, query);
  });

  t.test('the metrics are readable, and what NGINX counted equals what is in the ledger', async (t) => {
    for (let n = 0; n < 20; n += 1) await ask(edge.port, stranger, `/${n}`);
    const denied = (await edge.denials()).length;
    const samples = await eventually('the counters meet', async () => {
      const samples = await it.metrics();
      const enforced = sumOf(samples, 'edgeward_enforced_denials_total', { object: 'order-front' });
      return enforced === denied && sumOf(samples, 'edgeward_ledger_denials_total') === denied ? samples : null;
    });
    t.equal(sumOf(samples, 'edgeward_events_stored_total', { point: 'edge-1' }), denied);
    t.equal(sumOf(samples, 'edgeward_deny_log_losses_total'), null);
    t.equal(sumOf(samples, 'edgeward_policy_revision'), 3);
    t.equal(sumOf(samples, 'edgeward_policy_applied_revision', { point: 'edge-1' }), 3);
    t.equal(sumOf(samples, 'edgeward_point_state', { state: 'current' }), 1);
    t.equal(sumOf(samples, 'edgeward_policy_apply_seconds_count', { point: 'edge-1' }), 3);
    t.equal(sumOf(samples, 'edgeward_deny_log_write_failures_total'), 0);
    t.equal(sumOf(samples, 'edgeward_build_info', { version: '0.0.0' }), 1);
    t.match((await it.status()).points[0]?.denials, { stored: denied, counted: denied });
  });
});

t.test('ready is who has a policy; alive is who answers; everything else asks for the token', async (t) => {
  const edge = await startEdge(t);
  const it = await startIn(t, { edges: { 'edge-1': edge }, files: { 'broken.yaml': 'kind: [' } });
  t.match(await it.get('/livez', null), { status: 200, text: 'ok\n' });
  t.equal((await it.get('/readyz', null)).status, 503);
  t.match((await it.status()).headline, /^NOT ENFORCING: broken\.yaml:1: /);
  for (const path of ['/v1/status', '/v1/denials', '/v1/why/x'])
    for (const token of [null, 'wrong', `${'0'.repeat(64)}`])
      t.match(await it.get(path, token), { status: 401, json: { error: { code: 'EDW_ERR_HTTP_TOKEN' } } }, path);
  const accept = await fetch(`${it.url}/v1/accept`, { method: 'POST', body: '{"revision":1}' });
  t.equal(accept.status, 401);
  t.equal((await ask(edge.port, crm)).status, 403, 'without a policy nobody passes');
  await it.remove('broken.yaml');
  for (const [file, text] of Object.entries(site)) await it.write(file, text);
  await until('it is ready', async () => (await it.get('/readyz', null)).status === 200);
  await until('crm-1 passes', async () => (await ask(edge.port, crm)).status === 200);
});

t.test('a revision that takes away much waits for a person, over the API', async (t) => {
  const edge = await startEdge(t);
  const it = await startIn(t, { edges: { 'edge-1': edge }, files: site });
  await until('crm-1 passes', async () => (await ask(edge.port, crm)).status === 200);
  t.match(await it.post('/v1/accept', { revision: 2 }), {
    status: 404,
    json: { error: { code: 'EDW_ERR_NOTHING_HELD' } },
  });
  await it.write('shop.yaml', (site['shop.yaml'] ?? '').replace("env == 'prod'", "env == 'none'"));
  const held = await eventually('it is held', async () => (await it.status()).policy.held);
  t.match(held, { revision: 2, objects: [{ object: 'order-front', lostShare: 1 }] });
  t.match((await it.status()).headline, /HELD/);
  t.equal((await ask(edge.port, crm)).status, 200);
  t.match(await it.post('/v1/accept', { revision: 7 }), {
    status: 409,
    json: { error: { code: 'EDW_ERR_HELD_OTHER' } },
  });
  for (const body of [{}, null, [], { revision: '2' }, { revision: 2.5 }])
    t.match(await it.post('/v1/accept', body), { status: 400, json: { error: { code: 'EDW_ERR_QUERY' } } });
  t.match(await it.post('/v1/accept', { revision: 2 }), { status: 200, json: { accepted: 2 } });
  await until('crm-1 is out', async () => (await ask(edge.port, crm)).status === 403);
});

t.test('two points are kept, each with its own objects and denials', async (t) => {
  const one = await startEdge(t);
  const two = await startEdge(t, { servers: [{ name: 'billing' }], point: 'edge-2' });
  const files = { ...site, 'billing.yaml': virtualServer('billing', 'edge-2', 'observe') };
  const it = await startIn(t, { edges: { 'edge-1': one, 'edge-2': two }, files });
  await until('both are current', async () => (await it.status()).points.every(({ state }) => state === 'current'));
  t.equal((await it.status()).headline, 'ENFORCING 1 object, OBSERVING 1 object');
  t.strictSame([(await ask(one.port, stranger)).status, (await ask(two.port, stranger)).status], [403, 200]);
  await until('both denials are stored', async () => (await it.denials()).denials.length === 2);
  const denials = (await it.denials('point=edge-2')).denials;
  t.match(denials, [{ point: 'edge-2', object: 'billing', verdict: 'would-deny', source: stranger }]);
  await one.kill();
  await it.write('crm-2.yaml', workload('crm-2', dev, 'prod'));
  await until('the other one still gets its policy', async () => (await it.status()).points[1]?.appliedRevision === 2);
  const away = await eventually('the dead one is told', async () => {
    const [point] = (await it.status()).points;
    return point?.state === 'unreachable' ? point : null;
  });
  t.match(away.lastError, { code: 'EDW_ERR_POINT_UNREACHABLE', mend: /Start NGINX/ });
  t.equal((await it.get('/readyz', null)).status, 200, 'a point that is away is no reason to restart the service');
});

t.test('the next life of a service numbers on from what its point holds, also with its state lost', async (t) => {
  const edge = await startEdge(t);
  const first = await startIn(t, { edges: { 'edge-1': edge }, files: site });
  await until('in force', async () => (await first.status()).points[0]?.appliedRevision === 1);
  for (const env of ['prod', 'dev', 'prod']) {
    const before = (await first.status()).policy.revision;
    await first.write('crm-2.yaml', workload('crm-2', dev, env));
    await until('the edit is in force', async () => ((await first.status()).points[0]?.appliedRevision ?? 0) > before);
  }
  await first.stop();
  t.equal((await ask(edge.port, crm)).status, 200, 'a service that ends leaves its points as they are');
  const { ref } = await ask(edge.port, stranger);
  const place = await preparePlace(t, { edges: { 'edge-1': edge }, files: site });
  const next = await startAt(t, place);
  t.equal((await next.status()).policy.revision, 5, 'and never desires an older one on the way');
  const point = await eventually('in force', async () => {
    const { points, policy } = await next.status();
    return points[0]?.appliedRevision === policy.revision ? points[0] : null;
  });
  t.equal(point.appliedRevision, 5);
  const why = await eventually('what was denied meanwhile is stored', async () => {
    const answer = await next.get(`/v1/why/${ref}`);
    return answer.status === 200 ? answer.json : null;
  });
  t.match(why, { event: { objectLabels: { app: 'shop' }, labelsRevision: 5, revision: 4 }, nearestRule: 'crm-orders' });
  t.equal((await ask(edge.port, dev)).status, 403);
});
