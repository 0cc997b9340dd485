/** `edgeward replay`: recorded flows and the ledger's denials against a draft. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Replayed } from '../src/policy/replay.ts';
import { examplePolicies, run } from './fixtures/run.ts';
import { denial, openStatusApi } from './fixtures/status-api.ts';

const flow = (from: string, to: string, path: string, rest: object = {}): string =>
  JSON.stringify({ from, to, port: 'tcp/80', method: 'GET', path, ...rest });

const recorded = [
  flow('127.0.10.4', 'order-front', '/v1/orders/7', { count: 120 }),
  flow('127.0.10.5', 'order-front', '/v1/orders/8', { count: 3 }),
  flow('127.0.10.5', 'order-front', '/v1/orders/9?x=1'),
  flow('127.0.30.7', 'order-front', '/v1/catalogue/a', { verdict: 'deny', reason: 'unknown-source' }),
  flow('127.0.30.66', 'order-front', '/v1/catalogue/a', { verdict: 'would-deny', count: 2 }),
];

const replayed = async (args: string[], stdin: string): Promise<Replayed & { code: number }> => {
  const { code, out, err } = await run(['replay', ...args, '--flows', '-', '--json'], { stdin });
  t.equal(err, '');
  return { ...(JSON.parse(out) as Replayed), code };
};

t.test('a recorded verdict is compared with the draft; without one the flow had passed', async (t) => {
  const result = await replayed([examplePolicies], `${recorded.join('\n')}\n`);
  t.match(result, {
    code: 3,
    newlyDenied: { records: 2, count: 4 },
    newlyAllowed: { records: 1, count: 1 },
    stillAllowed: { records: 1, count: 120 },
    stillDenied: { records: 1, count: 2 },
    unreadable: { records: 0, first: [] },
    ungrouped: { records: 0, count: 0 },
  });
  t.strictSame(
    result.groups.map(({ change, source, request, count, missed }) => [change, source, request, count, missed]),
    [
      [
        'newly-denied',
        'app=crm,env=dev,loc=eu,role=api',
        'GET /v1/orders/*',
        4,
        "source: needs env == 'prod', has 'dev'",
      ],
      ['newly-allowed', 'network branch-offices', 'GET /v1/catalogue/*', 1, null],
    ],
  );
  t.match(result.groups[1], {
    before: { verdict: 'deny', reason: 'unknown-source', rule: null },
    after: { verdict: 'allow', reason: 'allowed-by-rule', rule: 'branch-catalogue' },
    examples: [{ from: '127.0.30.7', path: '/v1/catalogue/a' }],
  });
});

t.test('with --from the other directory says what became of each flow', async (t) => {
  const same = await replayed([examplePolicies, '--from', examplePolicies], recorded.join('\n'));
  t.match(same, { code: 0, groups: [], stillAllowed: { count: 121 }, stillDenied: { count: 6 } });
});

t.test('a line that cannot be read is counted, told and ends with 3', async (t) => {
  const lines = ['nonsense', flow('10.0.0', 'x', '/'), flow('127.0.10.4', 'order-front', '/v1/orders/7', { count: 0 })];
  const more = Array.from({ length: 10 }, () => flow('127.0.10.4', 'order-front', '/', { verdict: 'maybe' }));
  const result = await replayed([examplePolicies], [...lines, ...more].join('\n'));
  t.match(result, { code: 3, unreadable: { records: 13 } });
  t.strictSame(
    result.unreadable.first.map(({ line, code }) => [line, code]),
    [
      [1, 'EDW_ERR_FLOW_JSON'],
      [2, 'EDW_ERR_FLOW'],
      [3, 'EDW_ERR_FLOW'],
      [4, 'EDW_ERR_FLOW'],
      [5, 'EDW_ERR_FLOW'],
    ],
  );
});

t.test('groups are bounded, and what is long is cut', async (t) => {
  const lines = Array.from({ length: 1_200 }, (_, i) => flow('9.9.9.9', `object-${i}`, '/x'));
  const long = flow('9.9.9.9', 'order-front', `/${'y'.repeat(100_000)}`);
  const result = await replayed([examplePolicies], [long, ...lines].join('\n'));
  t.match(result, { newlyDenied: { records: 1_201 }, ungrouped: { records: 201 } });
  t.equal(result.groups.length, 1_000);
  t.ok(result.groups.every((it) => JSON.stringify(it).length < 3_000));
});

t.test('for people: the most frequent first, with examples and the one thing that is missing', async (t) => {
  const file = join(t.testdir(), 'flows.ndjson');
  writeFileSync(file, `${recorded.join('\n')}\nx\n`);
  const { code, out } = await run(['replay', examplePolicies, '--flows', file]);
  t.equal(code, 3);
  t.equal(
    out,
    `newly denied   4 flows in 2 records  app=crm,env=dev,loc=eu,role=api → order-front tcp/80 GET /v1/orders/*
    now deny: no rule for this object names the source; nearest rule 'crm-orders': source: needs env == 'prod', has 'dev'
    e.g. 127.0.10.5 → order-front tcp/80 GET /v1/orders/8
    e.g. 127.0.10.5 → order-front tcp/80 GET /v1/orders/9?x=1
newly allowed  1 flow  network branch-offices → order-front tcp/80 GET /v1/catalogue/*
    now allow: an allow rule matches 'branch-catalogue'
    was deny: no rule for this object names the source
    e.g. 127.0.30.7 → order-front tcp/80 GET /v1/catalogue/a

newly denied   4 flows in 2 records
newly allowed  1 flow
still allowed  120 flows in 1 record
still denied   2 flows in 1 record
unreadable     1 record
    6: EDW_ERR_FLOW_JSON  the line is no JSON: Unexpected token 'x', "x" is not valid JSON
`,
  );
});

const pageOf = (query: URLSearchParams): 'first' | 'second' | 'third' =>
  (query.get('cursor') ?? 'first') as 'first' | 'second' | 'third';

t.test('the denials of the ledger, page by page: what would be allowed now, and what stays denied', async (t) => {
  const time = new Date(Date.now() - 60_000).toISOString();
  const events = Array.from({ length: 1_500 }, (_, i) =>
    denial({
      ...{ id: i + 1, time, source: '127.0.10.4', object: 'order-front', port: 'tcp/80', count: 2, host: null },
      path: i % 3 === 0 ? '/v1/orders/7' : '/v2',
      truncated: i === 1,
    }),
  );
  const later = denial({ id: 1_501, time: new Date(Date.now() + 3_600_000).toISOString() });
  const { config, asked } = await openStatusApi(t, {
    denials: (query) => {
      // The second one took too long, and found nothing in its time.
      const [from, to] = { first: [0, 1_000], second: [1_000, 1_000], third: [1_000, 1_501] }[pageOf(query)] ?? [];
      const next: Record<string, string> = { first: 'second', second: 'third' };
      const page = [...events, later].slice(from, to);
      return { denials: page, after: 0, cursor: next[pageOf(query)] ?? null, cutShort: from === to };
    },
  });
  const { code, out } = await run([
    'replay',
    examplePolicies,
    '--denials',
    '--since',
    '2h',
    '--config',
    config,
    '--json',
  ]);
  t.equal(code, 3);
  t.match(JSON.parse(out), {
    newlyAllowed: { records: 500, count: 1_000 },
    stillDenied: { records: 999, count: 1_998 },
    newlyDenied: { records: 0 },
    unreadable: { records: 1 },
    groups: [{ object: 'order-front', request: 'GET /v1/orders/*', after: { rule: 'crm-orders' } }],
  });
  t.equal(asked.length, 3);
  t.match(asked[0], /^GET \/v1\/denials\?sinceMs=\d+&untilMs=\d+&limit=1000$/);
});

t.test('every way to ask wrongly', async (t) => {
  const cases: [string[], number, RegExp][] = [
    [[examplePolicies], 2, /nothing to replay/],
    [[examplePolicies, '--flows', 'x', '--denials'], 2, /can't be given together/],
    [[examplePolicies, '--denials', '--from', 'x'], 2, /--denials and --from can't/],
    [[examplePolicies, '--flows', 'x', '--since', '1h'], 2, /--flows and --since can't/],
    [[examplePolicies, '--flows', '/nowhere/at/all'], 2, /EDW_ERR_FLOWS_FILE/],
    [[examplePolicies, '--denials', '--since', 'soon', '--config', '/nowhere'], 2, /--since: 'soon' is no time/],
  ];
  for (const [args, exit, says] of cases) {
    const { code, err } = await run(['replay', ...args]);
    t.equal(code, exit, args.join(' '));
    t.match(err, says, args.join(' '));
  }
});
