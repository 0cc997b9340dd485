/** Recorded flows against a draft: what is counted, how it is put together, what is kept. */
import { createReplay, type Flow, identitiesOf, pointViews, type RecordedVerdict } from '@edgeward/policy';
import t from 'tap';
import { host, NOW, network, policy, rule, server, workload } from './cases/case.ts';
import { compileDocuments, digest } from './compiled.ts';

const documents = [
  workload({ labels: { app: 'crm', env: 'prod' } }),
  network(),
  server({ trustedProxies: ['10.0.0.1/32'] }),
  host(),
  policy(
    rule({ from: [{ workloads: "app == 'crm'" }], http: [{ path: '/v1/*' }] }),
    rule({ id: 'db', from: [{ network: 'branches' }], to: "app == 'db'" }),
  ),
];
const passed: RecordedVerdict = { verdict: 'allow', reason: null, rule: null };
const denied: RecordedVerdict = { verdict: 'deny', reason: null, rule: null };

function replayOf(records: [Flow, RecordedVerdict][], maxGroups = 10) {
  const { resolution } = compileDocuments(documents, NOW);
  const views = pointViews(resolution, digest);
  const replay = createReplay({ views, identities: identitiesOf(resolution), maxGroups, maxExamples: 2 });
  for (const [flow, recorded] of records) replay.add(flow, recorded, 1);
  return replay.result();
}

const ask = (path: string, more: Partial<Flow> = {}): Flow => ({
  from: '10.30.1.4',
  to: 'front',
  port: 'tcp/443',
  path,
  ...more,
});

t.test('a group is who asks × object × port × the beginning of the request', async (t) => {
  const cases: [Flow, RecordedVerdict, string, string | null][] = [
    [ask('/v2/a/b/c?d'), passed, 'app=crm,env=prod', 'GET /v2/a/*'],
    [ask('/v2/a'), passed, 'app=crm,env=prod', 'GET /v2/a'],
    [ask('/', { method: 'PUT' }), passed, 'app=crm,env=prod', 'PUT /'],
    [ask('/v2/%2e%2e%2fx'), passed, 'app=crm,env=prod', "what can't be judged safely"],
    [ask('/v1/a', { from: '192.0.2.1' }), passed, 'network branches', 'GET /v1/a'],
    [ask('/v1/a', { from: '203.0.113.1' }), passed, 'unknown', 'GET /v1/a'],
    [ask('/v1/a', { from: '10.0.0.1', forwardedFor: '10.30.1.4' }), denied, 'app=crm,env=prod', 'GET /v1/a'],
    [{ from: '192.0.2.1', to: 'db-1', port: 'tcp/5432' }, denied, 'network branches', null],
  ];
  for (const [flow, recorded, source, request] of cases) {
    const { groups } = replayOf([[flow, recorded]]);
    t.strictSame(
      groups.map((it) => [it.change, it.source, it.request]),
      [[recorded === passed ? 'newly-denied' : 'newly-allowed', source, request]],
      JSON.stringify(flow),
    );
  }
});

t.test('what is judged as it was is counted and not kept; of a group a few examples are', async (t) => {
  const result = replayOf([
    [ask('/v1/a'), passed],
    [ask('/v2/a'), denied],
    ...[1, 2, 3].map((n): [Flow, RecordedVerdict] => [ask(`/v3/a/${n}`), passed]),
    [ask('/v4'), passed],
  ]);
  t.match(result, { stillAllowed: { count: 1 }, stillDenied: { count: 1 }, newlyDenied: { count: 4 } });
  t.strictSame(
    result.groups.map(({ request, count, examples, nearestRule, missed }) => [
      request,
      count,
      examples.length,
      nearestRule,
      missed,
    ]),
    [
      ['GET /v3/a/*', 3, 2, 'r', 'path: /v3/a/1 is not /v1/*'],
      ['GET /v4', 1, 1, 'r', 'path: /v4 is not /v1/*'],
    ],
  );
});

t.test('groups beyond the limit are counted as such', async (t) => {
  const records = [1, 2, 3, 4].map((n): [Flow, RecordedVerdict] => [ask(`/x${n}`), passed]);
  const result = replayOf(records, 3);
  t.match(result, { ungrouped: { records: 1, count: 1 }, newlyDenied: { records: 4 } });
  t.equal(result.groups.length, 3);
});
